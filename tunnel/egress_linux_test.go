package tunnel

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"fathom/conf"
	"fathom/crypto"
	"fathom/test/tier"
	"fathom/tunnel/host"
)

// countingHost is a testHost that counts what it is asked.
type countingHost struct {
	testHost
	looks map[netip.Addr]int // by remote address
	asked map[string]int     // the rest, by what
}

func newCountingHost() *countingHost {
	return &countingHost{testHost: testHost{1500}, looks: make(map[netip.Addr]int), asked: make(map[string]int)}
}

func (h *countingHost) Egress(flow host.Flow) (host.Egress, error) {
	h.looks[flow.Remote.Addr()]++
	return h.testHost.Egress(flow)
}

func (h *countingHost) Forget()          { h.asked["forget"]++ }
func (h *countingHost) SetMTU(int) error { h.asked["mtu"]++; return nil }
func (h *countingHost) Route(host.Route) error {
	h.asked["route"]++
	return nil
}

// newSpreadHub is a hub whose peers are at addresses of their own, half of them in
// 198.18.0.0/24.
func newSpreadHub(t testing.TB, peers int) (*virtual, *countingHost) {
	t.Helper()
	list := make([]conf.Peer, peers)
	for i := range list {
		list[i] = conf.Peer{Name: fmt.Sprint(i), PublicKey: conf.Key{byte(i), byte(i >> 8), 1},
			AllowedIPs: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}), 32)}}
	}
	v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{Routes: true}, list...)
	counted := newCountingHost()
	v.host.network = counted
	now := time.Now()
	for i, p := range v.peers {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i % 2), byte(1 + i/2)}), 4500)
		establishAt(t, v.controller, p, at, netip.MustParseAddr("192.0.2.1"), now)
	}
	return v, counted
}

// TestAPeerCostsTheHostLittle: what the host is asked until all peers are up.
func TestAPeerCostsTheHostLittle(t *testing.T) {
	const peers = 100
	_, counted := newSpreadHub(t, peers)
	for at, n := range counted.looks {
		if n != 1 {
			t.Errorf("%d look-ups of %v", n, at)
		}
	}
	t.Logf("%d peers: %d look-ups, %v", peers, len(counted.looks), counted.asked)
	if n := counted.asked["route"]; n > 2*peers {
		t.Errorf("%d changes of routes", n)
	}
	if n := counted.asked["mtu"]; n > 2 {
		t.Errorf("%d changes of the device's MTU", n)
	}
}

// TestOnlyWhomAChangeConcernsLooksAgain, once for all changes of a moment.
func TestOnlyWhomAChangeConcernsLooksAgain(t *testing.T) {
	const peers = 100
	half := netip.MustParsePrefix("198.18.0.0/24")
	for _, test := range []struct {
		of     string
		change func(*host.Changes)
		looks  func(at netip.Addr) bool
	}{
		{"a foreign route", func(c *host.Changes) { c.To(netip.MustParsePrefix("203.0.113.0/24")) }, func(netip.Addr) bool { return false }},
		{"a peer's own route", func(c *host.Changes) { c.To(netip.MustParsePrefix("10.77.0.1/32")) }, func(netip.Addr) bool { return false }},
		{"a route to half of them", func(c *host.Changes) { c.To(half) }, half.Contains},
		{"our own address", func(c *host.Changes) { c.To(netip.MustParsePrefix("192.0.2.1/32")) }, func(netip.Addr) bool { return true }},
		{"an interface", func(c *host.Changes) { c.Any() }, func(netip.Addr) bool { return true }},
	} {
		t.Run(test.of, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, counted := newSpreadHub(t, peers)
				clear(counted.looks)
				counted.mtu = 1400
				v.start(t)
				for range 1000 {
					test.change(v.changes)
				}
				time.Sleep(10 * time.Second)
				v.do(func(time.Time) {
					for _, p := range v.peers {
						at := p.path.Remote().Addr()
						want, mtu := 0, 1500
						if test.looks(at) {
							want, mtu = 1, 1400
						}
						if n := counted.looks[at]; n < want || n > 2*want {
							t.Errorf("%v: %d look-ups, want %d", at, n, want)
						}
						if p.path.egress != mtu {
							t.Errorf("%v: egress MTU %d, want %d", at, p.path.egress, mtu)
						}
					}
				})
			})
		})
	}
}

// TestAHostThatKeepsChangingCostsABoundedAmount: look-ups a second, however often
// everything changes and however many peers there are.
func TestAHostThatKeepsChangingCostsABoundedAmount(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Measures)
	for _, peers := range []int{10, 400} {
		synctest.Test(t, func(t *testing.T) {
			v, counted := newSpreadHub(t, peers)
			clear(counted.looks)
			v.start(t)
			const seconds = 60
			for range seconds * 100 {
				v.changes.Any()
				time.Sleep(10 * time.Millisecond)
			}
			v.do(func(time.Time) {
				looks := 0
				for at, n := range counted.looks {
					looks += n
					if n < seconds/4 {
						t.Errorf("%d peers: %d look-ups of %v in %d s", peers, n, at, seconds)
					}
				}
				if most := 1000 * seconds; looks > most {
					t.Errorf("%d peers: %d look-ups in %d s, want at most %d", peers, looks, seconds, most)
				}
			})
		})
	}
}

func TestLookout(t *testing.T) {
	start := time.Unix(1000, 0)
	after := func(d time.Duration) time.Time { return start.Add(d) }
	var l lookout
	at := func(want time.Duration) {
		t.Helper()
		if !l.at.Equal(after(want)) {
			t.Errorf("looks after %v, want %v", l.at.Sub(start), want)
		}
	}
	looked := func(now time.Time, peers int) { l.took(now); l.looked(now, peers) }
	l.told(start)
	at(0)
	l.told(after(time.Millisecond))
	at(0)
	looked(start, 50)
	if !l.at.IsZero() {
		t.Error("looks though nothing has changed")
	}
	l.told(after(time.Millisecond))
	at(gatherBurst)
	looked(l.at, 0)
	l.told(after(time.Hour))
	at(time.Hour)
	// The first ones after a rest are hardly gathered; then what they cost is made up for.
	looked(l.at, 0)
	for range 4 {
		l.told(l.last)
		looked(l.at, 0)
	}
	l.told(l.last)
	at(time.Hour + gatherChanges)
	looked(l.at, 1000)
	l.told(l.last)
	at(time.Hour + 2*gatherChanges + 1000*restPerLook)
	// A change that is told while peers are asked about the one before is not forgotten.
	l.took(after(2 * time.Hour))
	l.told(after(2*time.Hour + time.Minute))
	l.looked(after(2*time.Hour+time.Minute), 1000)
	at(2*time.Hour + time.Minute)
}

// TestAChangeStallsNobody: of thousands of peers a bounded number is asked at once whether
// a change concerns them, and all are in the end, also about another change meanwhile.
func TestAChangeStallsNobody(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Measures)
	synctest.Test(t, func(t *testing.T) {
		const peers = 5*surveyedAtOnce + 1
		v, counted := newSpreadHub(t, peers)
		v.hostChanged(changeOfAll(), time.Now())
		if stale := v.stale(); stale > surveyedAtOnce {
			t.Errorf("%d peers are asked at once", stale)
		}
		counted.mtu = 1400
		v.start(t)
		v.changes.Any()
		time.Sleep(20 * time.Second)
		v.do(func(time.Time) {
			for _, p := range v.peers {
				if p.egressStale || p.path.egress != 1400 {
					t.Fatalf("peer %s has not looked: egress MTU %d", p.name, p.path.egress)
				}
			}
		})
	})
}

// stale returns how many peers look for their way out, or have just done so.
func (v *virtual) stale() (n int) {
	for _, p := range v.peers {
		if p.egressStale {
			n++
		}
	}
	return n
}

func changeOfAll() host.Change {
	c := host.NewChanges()
	c.Any()
	return c.Take()
}

// BenchmarkHostChanged: for how long a change holds up the control goroutine of a hub each
// time, in the median and at the most, the peers included that look for their way meanwhile.
func BenchmarkHostChanged(b *testing.B) {
	for _, parts := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d parts", parts), func(b *testing.B) {
			v, _ := newSpreadHub(b, 10_000)
			changes := host.NewChanges()
			for i := range parts {
				changes.Address(2, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), false)
			}
			change := changes.Take()
			var took []time.Duration
			timed := func(f func()) {
				began := time.Now()
				f()
				took = append(took, time.Since(began))
			}
			for b.Loop() {
				now := time.Now()
				timed(func() { v.hostChanged(change, now) })
				for len(v.survey.rest) > 0 {
					timed(func() { v.surveyPeers(now) })
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-median")
			b.ReportMetric(float64(took[len(took)-1].Microseconds()), "µs-longest")
		})
	}
}

// TestALostAddressIsToldAtOnce: a quiet peer hears from the new place of an end whose
// address is gone, as soon as there is a way again.
func TestALostAddressIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		time.Sleep(7 * time.Second) // an echo is not due for a while
		route := &lostRoute{countingHost: newCountingHost()}
		left.do(func(time.Time) { left.host.network = route })
		was := left.at.Addr()
		moved := left.wire.moves(left, "192.0.2.7:4500")
		route.none.Store(true)
		left.changes.Address(2, was, false)
		time.Sleep(time.Second)
		at := func() (at netip.AddrPort) {
			right.do(func(time.Time) { at = right.peer.path.Remote() })
			return at
		}
		if at() == moved {
			t.Fatal("told without a way")
		}
		route.none.Store(false)
		left.changes.Address(2, moved.Addr(), true)
		if took := until(t, time.Minute, func() bool { return at() == moved }); took > gatherChanges+12*left.wire.trip {
			t.Errorf("followed after %v, want %v and six round trips", took, gatherChanges)
		}
		left.do(func(time.Time) {
			if local := left.peer.path.Local(); local == was {
				t.Errorf("sends from %v", local)
			}
		})
		// An address of another is nothing to it.
		time.Sleep(time.Second)
		before := right.peer.authentic.Load()
		left.changes.Address(2, netip.MustParseAddr("192.0.2.99"), false)
		time.Sleep(time.Second)
		if n := right.peer.authentic.Load() - before; n > 0 {
			t.Errorf("%d packets about the address of another", n)
		}
	})
}

// lostRoute is a host that may be without any route.
type lostRoute struct {
	*countingHost
	none atomic.Bool
}

func (h *lostRoute) Egress(flow host.Flow) (host.Egress, error) {
	if h.none.Load() {
		return host.Egress{}, unix.ENETUNREACH
	}
	return h.testHost.Egress(flow)
}

// Ways is the kernel's choice: one that it does not name.
func (h *lostRoute) Ways(_ netip.AddrPort, _ []string, remotes []netip.AddrPort) (ways []host.Way) {
	for _, remote := range remotes {
		if e, err := h.Egress(host.Flow{Remote: remote}); err == nil {
			ways = append(ways, host.Way{Remote: remote, Egress: e})
		}
	}
	return ways
}

// moves gives an end another place, which its packets come from.
func (w *wire) moves(v *virtual, to string) netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ends, v.at)
	v.at = netip.MustParseAddrPort(to)
	w.ends[v.at] = v
	return v.at
}
