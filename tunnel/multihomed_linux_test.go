package tunnel

import (
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"fathom/conf"
	"fathom/tunnel/host"
	"fathom/tunnel/status"
	"fathom/tunnel/udp"
)

// waysHost is a testHost with uplinks, of which some may be lost.
type waysHost struct {
	testHost
	// uplinks are the addresses of its uplinks. The interface of each has the index of
	// its place here plus 1, unless one interface has all.
	uplinks []netip.Addr
	one     bool

	mu    sync.Mutex
	lost  []int // places of uplinks; guarded by mu
	route int   // place of the one that the default route leads by; guarded by mu
}

// index returns that of the interface of an uplink.
func (h *waysHost) index(place int) int {
	if h.one {
		return 1
	}
	return place + 1
}

func (h *waysHost) has(place int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !slices.Contains(h.lost, place)
}

// choice returns the uplink that the kernel takes to an address, or the first one of an
// interface, false if there is none.
func (h *waysHost) choice(to netip.Addr, index int) (place int, ok bool) {
	h.mu.Lock()
	route := h.route
	h.mu.Unlock()
	for _, place := range slices.Insert([]int{0, 1}[:len(h.uplinks)], 0, route) {
		if h.has(place) && h.uplinks[place].Is4() == to.Is4() && (index == 0 || index == h.index(place)) {
			return place, true
		}
	}
	return 0, false
}

func (h *waysHost) Ways(_ netip.AddrPort, uplinks []string, remotes []netip.AddrPort) (list []host.Way) {
	if len(uplinks) == 0 {
		for _, at := range remotes {
			if place, ok := h.choice(at.Addr(), 0); ok {
				list = append(list, host.Way{Remote: at, Local: h.uplinks[place], Egress: h.egress(place)})
			}
		}
		return list
	}
	for i := range uplinks {
		for _, at := range remotes {
			if h.has(i) && h.uplinks[i].Is4() == at.Addr().Is4() {
				list = append(list, host.Way{Uplink: uplinks[i], Remote: at, Local: h.uplinks[i], Source: h.uplinks[i], Egress: h.egress(i)})
			}
		}
	}
	return list
}

func (h *waysHost) egress(place int) host.Egress {
	return host.Egress{MTU: h.mtu, Interface: h.index(place)}
}

func (h *waysHost) Egress(flow host.Flow) (host.Egress, error) {
	place, ok := h.choice(flow.Remote.Addr(), flow.Interface)
	if !ok {
		return host.Egress{}, syscall.ENETUNREACH
	}
	return h.egress(place), nil
}

// leave returns the address that a datagram leaves from, false if it does not: there is
// no way, or it has the address of another uplink than the one that it leaves by, whose
// provider drops it (BCP 38).
func (h *waysHost) leave(to *udp.Destination) (from netip.Addr, ok bool) {
	by, ok := h.choice(to.Remote().Addr(), to.Interface())
	if !ok {
		return netip.Addr{}, false
	}
	named := slices.Index(h.uplinks, to.Local())
	if named < 0 || !h.has(named) {
		return h.uplinks[by], true // the kernel chooses
	}
	return to.Local(), h.index(named) == h.index(by)
}

// lose takes the interface of an uplink, whose index is given, from the host, which hears
// of it.
func (h *waysHost) lose(index int, changes *host.Changes) {
	h.drop(index - 1)
	changes.Interface(index, false)
}

func (h *waysHost) drop(place int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost = append(h.lost, place)
}

// regain gives the host what it has lost of an uplink.
func (h *waysHost) regain(place int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost = slices.DeleteFunc(h.lost, func(lost int) bool { return lost == place })
}

// reception measures the longest time without data. Any goroutine may use it.
type reception struct {
	mu      sync.Mutex
	last    time.Time     // guarded by mu
	longest time.Duration // guarded by mu
}

func (r *reception) note(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.longest = max(r.longest, now.Sub(r.last))
	r.last = now
}

// begin begins to measure.
func (r *reception) begin(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.longest, r.last = 0, now
}

// end returns the longest time since then, beyond the pace.
func (r *reception) end(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.longest-pace, now.Sub(r.last)-pace, 0)
}

// A site is how an end is attached.
type site int

const (
	single site = iota // by one uplink
	named              // by two uplinks, which its configuration names
	chosen             // by two uplinks; the kernel takes that of its default route
	dual               // by one interface, with IPv6 and IPv4
)

// uplinks returns the addresses of the left or the right end.
func (s site) uplinks(right bool) (list []netip.Addr) {
	places := [2]string{"198.51.100.1", "203.0.113.1"}
	if right {
		places = [2]string{"192.0.2.2", "192.0.2.130"}
	}
	switch s {
	case single:
		return []netip.Addr{netip.MustParseAddr(places[0])}
	case dual:
		places[0], places[1] = "2001:db8::"+places[0], places[0]
	}
	return []netip.Addr{netip.MustParseAddr(places[0]), netip.MustParseAddr(places[1])}
}

// known returns at how many of its addresses the other end calls it.
func (s site) known() int {
	if s == named || s == dual {
		return 2
	}
	return 1
}

// sites are those of both ends.
type sites struct {
	left, right site
	// called: the right one knows where the left one is, which knows nothing of it; else
	// it is the other way round.
	called bool
	// leftIsGreater: the left one has the greater public key, and so decides if both
	// have several pairs.
	leftIsGreater bool
}

// multihomed are two ends in virtual time. The round trip takes 20 ms.
type multihomed struct {
	left, right *virtual
	host        *waysHost // the left one's
}

// newMultihomed makes the ends, of which the left one has two uplinks.
func newMultihomed(t *testing.T, called bool) *multihomed {
	t.Helper()
	return newSites(t, sites{left: named, called: called})
}

func newSites(t *testing.T, s sites) *multihomed {
	t.Helper()
	keys, peers := newEnds(t, conf.Peer{MinPLPMTU: 576})
	if greater := string(peers[0].PublicKey[:]) > string(peers[1].PublicKey[:]); greater != s.leftIsGreater {
		slices.Reverse(keys[:])
		slices.Reverse(peers[:])
	}
	w := newWire()
	at := [2]site{s.left, s.right}
	var ends [2]*virtual
	var hosts [2]*waysHost
	for i := range at {
		hosts[i] = &waysHost{testHost: testHost{1500}, uplinks: at[i].uplinks(i == 1), one: at[i] == dual}
	}
	for i, h := range hosts {
		other := &peers[1-i]
		if s.called == (i == 1) {
			for _, addr := range hosts[1-i].uplinks[:at[1-i].known()] {
				other.Endpoints = append(other.Endpoints, conf.Endpoint{Host: addr.String(), Port: 4500})
			}
		}
		var config conf.Tunnel
		if at[i] == named {
			config.Uplinks = []string{"wan1", "wan2"}
		}
		v := w.newVirtual(t, netip.AddrPortFrom(h.uplinks[0], 4500).String(), keys[i], config, *other)
		v.controller.host.network = h
		v.leaves = func(to *udp.Destination) (netip.AddrPort, bool) {
			from, ok := h.leave(to)
			return netip.AddrPortFrom(from, 4500), ok
		}
		for _, addr := range h.uplinks {
			w.ends[netip.AddrPortFrom(addr, 4500)] = v
		}
		ends[i] = v
	}
	return &multihomed{left: ends[0], right: ends[1], host: hosts[0]}
}

// place returns where the left end is by an uplink.
func (m *multihomed) place(uplink int) netip.AddrPort {
	return netip.AddrPortFrom(m.host.uplinks[uplink], 4500)
}

// start runs the ends until both are up.
func (m *multihomed) start(t *testing.T) (took time.Duration) {
	t.Helper()
	m.right.start(t)
	m.left.start(t)
	return until(t, time.Minute, func() bool {
		return m.left.state() == status.PeerEstablished && m.right.state() == status.PeerEstablished
	})
}

// silence loses what goes by an uplink, of what the left end sends, receives, or both.
func (m *multihomed) silence(uplink int, sent, received bool) {
	m.left.wire.block(func(from, to netip.AddrPort) bool {
		return sent && from == m.place(uplink) || received && to == m.place(uplink)
	})
}

// lose takes the link of an uplink from the left end.
func (m *multihomed) lose(uplink int) {
	m.silence(uplink, true, true)
	m.host.lose(m.host.index(uplink), m.left.changes)
}

// loseAddress takes the address of an uplink from the left end.
func (m *multihomed) loseAddress(uplink int) {
	m.silence(uplink, true, true)
	m.host.drop(uplink)
	m.left.changes.Address(m.host.index(uplink), m.host.uplinks[uplink], false)
}

// reroute makes the default route of the left end lead by another uplink.
func (m *multihomed) reroute(uplink int) {
	m.host.mu.Lock()
	m.host.route = uplink
	m.host.mu.Unlock()
	m.left.changes.To(netip.MustParsePrefix("0.0.0.0/0"))
}

// pace is how often either end sends a packet of data.
const pace = 5 * time.Millisecond

// flow has both ends send data for a while, and returns the longest time in which either
// received none, beyond the pace.
func (m *multihomed) flow(during time.Duration) (forth, back time.Duration) {
	begun := time.Now()
	m.left.reception.begin(begun)
	m.right.reception.begin(begun)
	for time.Since(begun) < during {
		m.left.data()
		m.right.data()
		time.Sleep(pace)
	}
	return m.right.reception.end(time.Now()), m.left.reception.end(time.Now())
}

// data sends one packet of data, which the other end counts.
func (v *virtual) data() {
	if !v.peer.session.Load().ready() {
		return
	}
	v.peer.tx.add(1, 1000)
	v.send(1)
}
