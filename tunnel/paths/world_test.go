package paths

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// A world is two ends and the network between them, in virtual time. Each end
// has uplinks; two uplinks of one family are joined by a path. Every end does
// what the tunnel would: it sends data, report requests and echoes, and it makes a
// handshake with a peer that does not answer.
type world struct {
	rng    *rand.Rand
	now    time.Time
	events simEvents
	order  int
	ends   [2]*end
	// where is the uplink at an outer address: a NAT's mapping, or its own.
	where map[netip.AddrPort]*uplink
	dead  [2]bool // a family of addresses: IPv4, IPv6
	// jitter delays a share of all packets by up to lateness.
	jitter   float64
	lateness time.Duration
	forger   *forger
	port     uint16
	trace    func(format string, args ...any)
	trouble  string // the first invariant that broke
	packets  int
}

// An uplink is an address of an end, on an interface.
type uplink struct {
	end    *end
	index  int
	local  netip.Addr
	public []netip.AddrPort // what others see: its own, or those of NATs that share its packets
	turn   int
	down   bool // the host knows
	silent bool // nobody knows
	deaf   bool // nothing comes in, and nobody knows
	delay  time.Duration
	loss   float64
	cost   int
}

func (u *uplink) family() int {
	if u.local.Is4() {
		return 0
	}
	return 1
}

// A forger copies packets and lets the copies overtake the originals.
type forger struct {
	toward  [2]bool // copies what goes to this end
	sources []netip.AddrPort
	ahead   time.Duration
	relays  bool // hands on what comes to the forged source
	every   int  // copies one packet in so many
	count   int
}

type simEvent struct {
	at    time.Time
	order int
	do    func()
}

type simEvents []simEvent

func (e simEvents) Len() int { return len(e) }
func (e simEvents) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].order < e[j].order
}
func (e simEvents) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *simEvents) Push(x any)   { *e = append(*e, x.(simEvent)) }
func (e *simEvents) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

var epoch = time.Unix(1_700_000_000, 0)

func newWorld(seed uint64, trace func(string, ...any)) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 9000)), now: epoch, where: make(map[netip.AddrPort]*uplink), port: 20000, trace: trace}
	for i := range w.ends {
		w.ends[i] = newEnd(w, i)
	}
	w.ends[0].peer, w.ends[1].peer = w.ends[1], w.ends[0]
	return w
}

func (w *world) tracef(format string, args ...any) {
	if w.trace != nil {
		w.trace("%9.3f ms  "+format, append([]any{float64(w.now.Sub(epoch).Microseconds()) / 1000}, args...)...)
	}
}

func (w *world) fail(format string, args ...any) {
	if w.trouble == "" {
		w.trouble = fmt.Sprintf("at %v: ", w.now.Sub(epoch)) + fmt.Sprintf(format, args...)
		w.tracef("TROUBLE %s", w.trouble)
	}
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.events, simEvent{w.now.Add(d), w.order, do})
}

// run lets time pass, until done is true. It reports whether that was the case.
func (w *world) run(d time.Duration, done func() bool) bool {
	until := w.now.Add(d)
	for w.trouble == "" && len(w.events) > 0 && !w.events[0].at.After(until) {
		e := heap.Pop(&w.events).(simEvent)
		w.now = e.at
		e.do()
		if done != nil && done() {
			return true
		}
	}
	if w.trouble == "" {
		w.now = until
	}
	return done != nil && done()
}

// uplink gives an end one more uplink.
func (w *world) uplink(e *end, index int, v6 bool, nat bool, oneWay time.Duration) *uplink {
	u := &uplink{end: e, index: index, delay: oneWay, cost: len(e.uplinks)}
	e.uplinks = append(e.uplinks, u)
	w.renumber(u, v6, nat)
	return u
}

// renumber gives an uplink another address.
func (w *world) renumber(u *uplink, v6, nat bool) {
	w.port++
	b := [4]byte{10, byte(u.end.id), byte(w.port >> 8), byte(w.port)}
	u.local = netip.AddrFrom4(b)
	if v6 {
		u.local = netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 12: b[0], 13: b[1], 14: b[2], 15: b[3]})
	}
	u.public = nil
	if nat {
		w.rebind(u, 1)
	} else {
		w.publish(u, netip.AddrPortFrom(u.local, 4500))
	}
}

// rebind gives an uplink another mapping at its NAT, or several that share its
// packets.
func (w *world) rebind(u *uplink, mappings int) {
	for _, p := range u.public {
		delete(w.where, p)
	}
	u.public = nil
	for range mappings {
		w.port++
		public := netip.AddrFrom4([4]byte{192, 0, 2, byte(u.end.id)})
		if u.local.Is6() {
			public = netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 15: byte(u.end.id)})
		}
		w.publish(u, netip.AddrPortFrom(public, w.port))
	}
}

func (w *world) publish(u *uplink, at netip.AddrPort) {
	u.public = append(u.public, at)
	w.where[at] = u
}

// carry takes a packet from an uplink to an address.
func (w *world) carry(u *uplink, to netip.AddrPort, m packet) {
	w.packets++
	if u.down || u.silent || w.dead[u.family()] || u.loss > 0 && w.rng.Float64() < u.loss {
		return
	}
	u.turn++
	source := u.public[u.turn%len(u.public)]
	delay := u.delay
	if w.jitter > 0 && w.rng.Float64() < w.jitter {
		delay += time.Duration(w.rng.Float64() * float64(w.lateness))
	}
	target := w.where[to]
	f := w.forger
	if target == nil && f != nil && f.relays {
		for _, z := range f.sources {
			if z == to {
				target = u.end.peer.uplinks[0]
				to = target.public[0]
			}
		}
	}
	if target == nil || target.family() != u.family() {
		return
	}
	delay += target.delay
	if f != nil && f.toward[target.end.id] {
		if f.count++; f.every <= 1 || f.count%f.every == 0 {
			z := f.sources[f.count/max(f.every, 1)%len(f.sources)]
			w.after(max(delay-f.ahead, 0), func() { w.land(target, to, z, m) })
		}
	}
	w.after(delay, func() { w.land(target, to, source, m) })
}

func (w *world) land(u *uplink, at, source netip.AddrPort, m packet) {
	if w.where[at] != u || u.down || u.silent || u.deaf || w.dead[u.family()] || u.loss > 0 && w.rng.Float64() < u.loss {
		return
	}
	u.end.receive(Pair{u.index, u.local, source}, m)
}

// reaches returns the uplink at the other end of a pair if packets pass both
// ways, nil otherwise.
func (w *world) reaches(e *end, by Pair) *uplink {
	from, to := e.uplinkOf(by), w.where[by.Remote]
	if from == nil || to == nil || to.end == e || from.family() != to.family() || w.dead[from.family()] {
		return nil
	}
	for _, u := range []*uplink{from, to} {
		if u.down || u.silent || u.deaf {
			return nil
		}
	}
	return to
}

func addrPort(address string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(address), port)
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
