package tunnel

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/host"
	"fathom/tunnel/status"
)

// waysHost is a testHost with uplinks, of which some may be lost.
type waysHost struct {
	testHost
	uplinks []netip.Addr // the index of an uplink is its place here, plus 1

	mu   sync.Mutex
	lost []int // uplinks; guarded by mu
}

func (h *waysHost) has(index int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !slices.Contains(h.lost, index)
}

func (h *waysHost) Ways(_ netip.AddrPort, uplinks []string, remotes []netip.AddrPort) (list []host.Way) {
	for i := range uplinks {
		for _, at := range remotes {
			if h.has(i + 1) {
				list = append(list, host.Way{Uplink: uplinks[i], Remote: at, Local: h.uplinks[i], Source: h.uplinks[i],
					Egress: host.Egress{MTU: h.mtu, Interface: i + 1}})
			}
		}
	}
	return list
}

func (h *waysHost) Egress(flow host.Flow) (host.Egress, error) {
	return host.Egress{MTU: h.mtu, Interface: max(flow.Interface, 1)}, nil
}

// lose takes an uplink from the host, which hears of it.
func (h *waysHost) lose(index int, changes *host.Changes) {
	h.mu.Lock()
	h.lost = append(h.lost, index)
	h.mu.Unlock()
	changes.Interface(index, false)
}

// multihomed are two ends in virtual time: the left one has two uplinks. The round trip
// takes 20 ms.
type multihomed struct {
	left, right *virtual
	host        *waysHost
}

// newMultihomed makes the ends. Where the left one is called, the right one knows
// its two places, and it knows none.
func newMultihomed(t *testing.T, called bool) *multihomed {
	t.Helper()
	var keys [2]crypto.PrivateKey
	var peers [2]conf.Peer
	for i := range keys {
		var err error
		if keys[i], err = crypto.GeneratePrivateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
		public, err := keys[i].Public()
		if err != nil {
			t.Fatal(err)
		}
		peers[i] = conf.Peer{Name: fmt.Sprint(i), PublicKey: conf.Key(public), MinPLPMTU: 576}
	}
	uplinks := []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.1")}
	if called {
		for _, at := range uplinks {
			peers[0].Endpoints = append(peers[0].Endpoints, conf.Endpoint{Host: at.String(), Port: 4500})
		}
	} else {
		peers[1].Endpoints = []conf.Endpoint{{Host: "192.0.2.2", Port: 4500}}
	}
	w := newWire()
	m := &multihomed{host: &waysHost{testHost: testHost{1500}, uplinks: uplinks}}
	m.left = w.newVirtual(t, netip.AddrPortFrom(uplinks[0], 4500).String(), keys[0], conf.Tunnel{Uplinks: []string{"wan1", "wan2"}}, peers[1])
	m.left.controller.host.network = m.host
	m.left.others = uplinks
	w.ends[m.place(1)] = m.left
	m.right = w.newVirtual(t, "192.0.2.2:4500", keys[1], conf.Tunnel{}, peers[0])
	if called {
		// The right one, too, has a way to each place.
		far := &waysHost{testHost: testHost{1500}, uplinks: []netip.Addr{m.right.at.Addr()}}
		m.right.controller.host.network = chosenWays{far}
	}
	return m
}

// chosenWays is a host without named uplinks.
type chosenWays struct{ *waysHost }

func (h chosenWays) Ways(listen netip.AddrPort, _ []string, remotes []netip.AddrPort) (list []host.Way) {
	for _, way := range h.waysHost.Ways(listen, []string{""}, remotes) {
		way.Source = netip.Addr{}
		list = append(list, way)
	}
	return list
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

// pace is how often either end sends a packet of data.
const pace = 5 * time.Millisecond

// flow has both ends send data for a while, and returns the longest time in which either
// received none, beyond the pace.
func (m *multihomed) flow(during time.Duration) (forth, back time.Duration) {
	ends := [2]*virtual{m.left, m.right}
	var seen [2]uint64
	var last [2]time.Time
	var longest [2]time.Duration
	for i, end := range ends {
		seen[i], last[i] = end.peer.rx.packets.Load(), time.Now()
	}
	for begun := time.Now(); time.Since(begun) < during; {
		for _, end := range ends {
			end.data()
		}
		for range pace / time.Millisecond {
			time.Sleep(time.Millisecond)
			synctest.Wait()
			for i, end := range ends {
				if n := end.peer.rx.packets.Load(); n != seen[i] {
					longest[i] = max(longest[i], time.Since(last[i])-pace)
					seen[i], last[i] = n, time.Now()
				}
			}
		}
	}
	for i := range ends {
		longest[i] = max(longest[i], time.Since(last[i])-pace)
	}
	return longest[1], longest[0]
}

// data sends one packet of data, which the other end counts.
func (v *virtual) data() {
	if !v.peer.session.Load().ready() {
		return
	}
	v.peer.tx.add(1, 1000)
	v.send(1)
}

// TestFailoverIsExact: how long data is interrupted when the way in use fails, with a
// round trip of 20 ms, whatever the moment between two packets and two requests. Half
// of that passes until anything can be known, or be heard again.
func TestFailoverIsExact(t *testing.T) {
	const rtt = 20 * time.Millisecond
	for _, test := range []struct {
		name          string
		fault         func(*multihomed)
		median, worst time.Duration
	}{
		{"silent", func(m *multihomed) { m.silence(0, true, true) }, 120 * time.Millisecond, 150 * time.Millisecond},
		{"loses what it sends", func(m *multihomed) { m.silence(0, true, false) }, 120 * time.Millisecond, 150 * time.Millisecond},
		{"loses what it receives", func(m *multihomed) { m.silence(0, false, true) }, 120 * time.Millisecond, 150 * time.Millisecond},
		{"down", func(m *multihomed) { m.silence(0, true, true); m.host.lose(1, m.left.changes) }, 2*rtt + 20*time.Millisecond, 2*rtt + 20*time.Millisecond},
	} {
		for _, called := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, called %v", test.name, called), func(t *testing.T) {
				var gaps []time.Duration
				for run := range 20 {
					synctest.Test(t, func(t *testing.T) {
						m := newMultihomed(t, called)
						m.start(t)
						m.flow(3*time.Second + time.Duration(run)*3*time.Millisecond)
						if at := m.right.place(); at != m.place(0) {
							t.Fatalf("the peer is at %v, want %v", at, m.place(0))
						}
						test.fault(m)
						forth, back := m.flow(3 * time.Second)
						gaps = append(gaps, max(forth, back))
						if at := m.right.place(); at != m.place(1) {
							t.Errorf("the peer is at %v, want %v", at, m.place(1))
						}
					})
				}
				slices.Sort(gaps)
				median, worst := gaps[len(gaps)/2], gaps[len(gaps)-1]
				t.Logf("gap median %v, worst %v", median, worst)
				if median > test.median || worst > test.worst {
					t.Errorf("gap median %v, worst %v, want at most %v and %v", median, worst, test.median, test.worst)
				}
			})
		}
	}
}

// TestAPeerIsCalledByEachUplink: with the first dead from the start the peer is up a
// candidateGap later than usual, whichever end calls, and back on the first uplink when
// that has been alive for long enough.
func TestAPeerIsCalledByEachUplink(t *testing.T) {
	for _, called := range []bool{false, true} {
		t.Run(fmt.Sprintf("called %v", called), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMultihomed(t, called)
				m.silence(0, true, true)
				if took := m.start(t); took > candidateGap+6*m.left.wire.trip {
					t.Errorf("up after %v", took)
				}
				if at := m.right.place(); at != m.place(1) {
					t.Errorf("the peer is at %v, want %v", at, m.place(1))
				}
				m.flow(time.Second)
				m.left.wire.block(nil)
				if forth, back := m.flow(3 * time.Minute); max(forth, back) > 2*m.left.wire.trip {
					t.Errorf("data was interrupted for %v", max(forth, back))
				}
				if at := m.right.place(); at != m.place(0) {
					t.Errorf("the peer is at %v, want %v", at, m.place(0))
				}
			})
		})
	}
}
