package paths

import (
	"net/netip"
	"slices"
	"time"
)

// An end is a tunnel with one peer, as far as its paths are concerned.
type end struct {
	w       *world
	id      int
	peer    *end
	set     *Set
	uplinks []*uplink
	// endpoints are what the configuration says of the peer.
	endpoints []netip.AddrPort

	// sequence numbers, out and in
	seq, highest uint64
	seen         map[uint64]bool

	// traffic
	every    time.Duration // between data packets; 0: none
	thin     bool          // data that asks for no reports
	traffic  Traffic
	requests []simRequest
	request  uint64
	rtt      rtt
	asked    time.Time
	wake     time.Time
	pulse    int // invalidates the timer of earlier data

	// the peer is called when it does not answer
	lastHeard time.Time
	calls     int

	// what the tests look at
	using    Pair
	granted  int // bytes of data that may still go by it while it is unproved
	moves    []Move
	arrivals time.Time // of the last data
	gap      time.Duration
	outbox   []Action
	tokens   map[uint64]netip.AddrPort
	proved   map[netip.AddrPort]bool
	came     map[netip.AddrPort]int
	went     map[netip.AddrPort]int
	sent     int                          // path messages
	strange  map[netip.AddrPort]time.Time // when an unproved place was challenged
	stranger []time.Time
}

type simRequest struct {
	id   uint64
	left time.Time
}

type packetKind uint8

const (
	data packetKind = iota
	request
	report
	pathMessage
	initiation
	answer
	confirmation
	echo
	echoReply
)

type packet struct {
	kind    packetKind
	seq     uint64
	id      uint64
	actions []Action
	by      Pair // of an initiation
	left    time.Time
	bytes   int
}

func newEnd(w *world, id int) *end {
	e := &end{w: w, id: id, seen: make(map[uint64]bool), tokens: make(map[uint64]netip.AddrPort), strange: make(map[netip.AddrPort]time.Time),
		proved: make(map[netip.AddrPort]bool), came: make(map[netip.AddrPort]int), went: make(map[netip.AddrPort]int)}
	e.set = New(Config{Random: w.rng.Uint64})
	return e
}

func (e *end) uplinkOf(p Pair) *uplink {
	for _, u := range e.uplinks {
		if u.index == p.Interface && u.local == p.Local {
			return u
		}
	}
	return nil
}

// spend reports whether so many bytes that prove nothing may go by the pair in use.
func (e *end) spend(bytes int) bool {
	if by, ok := e.set.Current(); !ok || by != e.using || !e.set.Limited() {
		e.granted = 0
		return ok && !e.set.Limited()
	}
	e.granted += e.set.Grant()
	if e.granted < bytes {
		return false
	}
	e.granted -= bytes
	return true
}

// flow begins to send data, or ends it.
func (e *end) flow(every time.Duration) {
	e.every = every
	e.pulse++
	if every > 0 {
		pulse := e.pulse
		e.w.after(time.Duration(e.w.rng.Int64N(int64(every))), func() { e.beat(pulse) })
	}
}

func (e *end) beat(pulse int) {
	if pulse != e.pulse {
		return
	}
	w := e.w
	w.after(e.every, func() { e.beat(pulse) })
	by, ok := e.set.Current()
	const bytes = 300
	if ok && e.spend(bytes) {
		e.traffic.Sent++
		e.send(by, packet{kind: data, bytes: bytes})
		// One report request about every half round trip.
		if !e.thin && w.now.Sub(e.asked) >= max(e.traffic.SRTT/2, 20*time.Millisecond) {
			e.asked = w.now
			e.request++
			e.requests = append(e.requests, simRequest{e.request, w.now})
			if e.spend(80) {
				e.send(by, packet{kind: request, id: e.request, left: w.now, bytes: 80})
			}
			e.attend()
		}
	}
	if e.thin {
		e.attend()
	}
	if w.now.Sub(e.lastHeard) > 5*time.Second && e.calls == 0 {
		e.calls = 1
		e.call()
	}
}

// call makes handshakes until one succeeds.
func (e *end) call() {
	if e.w.now.Sub(e.lastHeard) < 2*time.Second {
		e.calls = 0
		return
	}
	order := e.set.Order(nil, e.w.now)
	if len(order) > 0 {
		by := order[e.calls%len(order)]
		e.carry(by, packet{kind: initiation, by: by, left: e.w.now, bytes: 316})
	}
	e.calls++
	e.w.after(250*time.Millisecond, e.call)
}

// send gives a packet the next sequence number.
func (e *end) send(by Pair, m packet) {
	e.seq++
	m.seq = e.seq
	e.carry(by, m)
}

func (e *end) carry(by Pair, m packet) {
	w := e.w
	if !e.proved[by.Remote] && m.kind != initiation && m.kind != answer {
		e.went[by.Remote] += m.bytes
		configured := slices.Contains(e.endpoints, by.Remote)
		if !configured && e.went[by.Remote] > 3*e.came[by.Remote] {
			w.fail("end %d has sent %d bytes to the unproved %v, which sent %d", e.id, e.went[by.Remote], by.Remote, e.came[by.Remote])
		}
	}
	u := e.uplinkOf(by)
	if u == nil {
		w.fail("end %d sends by %v, which it does not have", e.id, by)
		return
	}
	w.carry(u, by.Remote, m)
}

// receive takes in a packet that came by a pair.
func (e *end) receive(by Pair, m packet) {
	w := e.w
	switch m.kind {
	case initiation:
		e.carry(by, packet{kind: answer, by: m.by, left: m.left, bytes: 200})
		return
	case answer:
		if e.uplinkOf(m.by) == nil {
			return // renumbered meanwhile
		}
		e.lastHeard = w.now
		e.proved[m.by.Remote] = true
		e.set.Established(m.by, w.now.Sub(m.left), w.now)
		e.send(m.by, packet{kind: confirmation, bytes: 80})
		e.attend()
		return
	}
	if e.seen[m.seq] || m.seq+1024 < e.highest {
		return // a replay
	}
	e.seen[m.seq] = true
	newest := m.seq > e.highest
	if newest {
		e.highest = m.seq
	}
	e.traffic.Heard++
	e.lastHeard = w.now
	e.came[by.Remote] += m.bytes
	current, _ := e.set.Current()
	if m.kind == data {
		e.traffic.Received++
		if !e.arrivals.IsZero() {
			e.gap = max(e.gap, w.now.Sub(e.arrivals))
		}
		e.arrivals = w.now
		if by == current {
			return
		}
	}
	e.set.Arrived(by, m.bytes, newest && m.kind != pathMessage, w.now)
	if by, ok := e.set.Current(); ok && m.kind == request && e.spend(80) {
		e.send(by, packet{kind: report, id: m.id, left: m.left, bytes: 80})
	}
	switch m.kind {
	case report:
		e.requests = slices.DeleteFunc(e.requests, func(r simRequest) bool { return r.id <= m.id })
		if current == e.using {
			e.rtt.sample(w.now.Sub(m.left))
		}
	case confirmation:
		e.proved[by.Remote] = true
		e.set.Established(by, 0, w.now)
	case pathMessage:
		for _, a := range m.actions {
			if a.Kind == SendResponse {
				if to, ok := e.tokens[a.Token]; ok {
					e.proved[to] = true
				}
				e.set.Response(a.Token, a.Generation, w.now)
			} else {
				w.tracef("%d: hears challenge %08x by %v", e.id, a.Token>>32, by)
				e.set.Challenge(by, Challenge{a.Token, a.Generation, a.Use, a.Stalled}, w.now)
			}
		}
	}
	e.attend()
}

// attend does what is due and sets the timer, as the control goroutine does.
func (e *end) attend() {
	w := e.w
	e.follow()
	t := e.traffic
	t.SRTT, t.RTTVAR = e.rtt.smoothed, e.rtt.variance
	if t.Unanswered = len(e.requests); t.Unanswered > 0 {
		t.Asked = e.requests[0].left
	}
	e.traffic = t
	e.outbox = e.set.Look(e.outbox[:0], t, w.now)
	e.follow()
	for i := 0; i < len(e.outbox); {
		n := i + 1
		for n < len(e.outbox) && e.outbox[n].Pair == e.outbox[i].Pair && n-i < 2 {
			n++
		}
		e.sent++
		for _, a := range e.outbox[i:n] {
			w.tracef("%d: sends %v", e.id, a)
			if a.Kind == SendChallenge {
				e.tokens[a.Token] = a.Pair.Remote
				e.check(a.Pair.Remote)
			}
		}
		// Two elements are 104 bytes at most, but the limits count each.
		e.send(e.outbox[i].Pair, packet{kind: pathMessage, actions: slices.Clone(e.outbox[i:n]), bytes: 104 * (n - i)})
		i = n
	}
	at := e.set.Deadline()
	if !at.IsZero() && !at.After(w.now) {
		w.fail("end %d: the deadline is %v ago after Look", e.id, w.now.Sub(at))
		return
	}
	if e.every > 0 {
		at = earliest(at, w.now.Add(250*time.Millisecond))
	}
	if !at.IsZero() && (e.wake.IsZero() || at.Before(e.wake)) {
		e.wake = at
		w.after(at.Sub(w.now), func() {
			if e.wake == at {
				e.wake = time.Time{}
				e.attend()
			}
		})
	}
}

// check keeps the limits of challenges to unproved places.
func (e *end) check(to netip.AddrPort) {
	if e.proved[to] {
		return
	}
	w := e.w
	if last := w.now.Sub(e.strange[to]); last < time.Second {
		w.fail("end %d challenges the unproved %v again after %v", e.id, to, last)
	}
	e.strange[to] = w.now
	e.stranger = append(e.stranger, w.now)
	if n := len(e.stranger); n > 20 && w.now.Sub(e.stranger[n-21]) < time.Second {
		w.fail("end %d challenges more than 20 unproved places within a second", e.id)
	}
}

// follow takes over the pair that the set names.
func (e *end) follow() {
	before := len(e.moves)
	e.moves = e.set.Moves(e.moves)
	for _, m := range e.moves[before:] {
		e.w.tracef("%d: moves to %v, was %v, %v", e.id, m.To, m.From, m.Cause)
	}
	by, _ := e.set.Current()
	if by == e.using {
		return
	}
	e.using, e.rtt, e.requests = by, rtt{}, nil
	e.traffic.Unanswered, e.traffic.SRTT, e.traffic.RTTVAR = 0, 0, 0
	for _, t := range e.set.Status(e.w.now) {
		if t.InUse {
			e.rtt.sample(t.SRTT)
		}
	}
}

// mark begins to measure gaps anew.
func (e *end) mark() { e.gap, e.arrivals = 0, e.w.now }

// silentFor returns the longest gap since mark, one that goes on still included.
func (e *end) silentFor() time.Duration { return max(e.gap, e.w.now.Sub(e.arrivals)) }
