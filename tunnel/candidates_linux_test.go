package tunnel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/status"
	"fathom/tunnel/udp"
)

// TestInitiationWait: in the first round the places are called in quick succession,
// then at growing intervals. A single place is called as ever.
func TestInitiationWait(t *testing.T) {
	noJitter := zeroes{}
	at := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 4500)
	}
	retry := func(n int) time.Duration { return crypto.RetryAfter(n, noJitter) }
	const gap = candidateGap
	for _, test := range []struct {
		of         string
		path       int // 0: none
		candidates []int
		want       []time.Duration
	}{
		{"one", 0, []int{1}, []time.Duration{retry(0), retry(1), retry(2)}},
		{"the place where it is", 1, nil, []time.Duration{retry(0), retry(1), retry(2)}},
		{"one, where it is", 1, []int{1}, []time.Duration{retry(0), retry(1), retry(2)}},
		{"one, and it is elsewhere", 2, []int{1}, []time.Duration{gap, retry(0), retry(1)}},
		{"two", 0, []int{1, 2}, []time.Duration{gap, retry(0), retry(1)}},
		{"three, and it is elsewhere", 4, []int{1, 2, 3}, []time.Duration{gap, gap, gap, retry(0), retry(1)}},
		{"none", 0, nil, []time.Duration{retry(0), retry(1)}},
	} {
		p := newPeer(conf.Peer{})
		if test.path != 0 {
			p.path = newPath(at(test.path), netip.Addr{})
		}
		for _, n := range test.candidates {
			p.candidates = append(p.candidates, at(n))
		}
		for i, want := range test.want {
			p.initiations.attempts = i
			if got := p.initiationWait(noJitter); got != want {
				t.Errorf("%s: %v after attempt %d, want %v", test.of, got, i, want)
			}
		}
	}
}

// zeroes is randomness without any.
type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestEveryEndpointIsCalled: the peer is at the last address of the last name. That the
// others do not answer, and one name does not resolve, costs a gap each.
func TestEveryEndpointIsCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := newVirtualPair(t, conf.Tunnel{}, 0)
		peer := left.config.Peers[0]
		peer.Endpoints = []conf.Endpoint{{Host: "192.0.2.77", Port: 4500}, {Host: "no.example", Port: 4500}, {Host: "2001:db8::77", Port: 4500}, {Host: "some.example", Port: 4500}}
		v := left.wire.newVirtual(t, left.at.String(), crypto.PrivateKey(left.config.Tunnel.PrivateKey), conf.Tunnel{}, peer)
		v.lookups = newLookups(bookResolver{"some.example": {netip.MustParseAddr("192.0.2.78"), right.at.Addr(), netip.MustParseAddr("192.0.2.77")}})
		right.start(t)
		v.start(t)
		took := until(t, time.Minute, func() bool { return v.state() == status.PeerEstablished })
		if took < 3*candidateGap || took > 4*candidateGap {
			t.Errorf("took %v", took)
		}
		v.do(func(time.Time) {
			want := []string{"192.0.2.77:4500", "[2001:db8::77]:4500", "192.0.2.78:4500", "192.0.2.2:4500"}
			var got []string
			for _, at := range v.peer.candidates {
				got = append(got, at.String())
			}
			if !slices.Equal(got, want) {
				t.Errorf("candidates %q, want %q", got, want)
			}
		})
	})
}

// TestANameMayHaveManyAddresses, of which a bounded number is called, and the other
// endpoints still have their turn.
func TestANameMayHaveManyAddresses(t *testing.T) {
	v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{},
		conf.Peer{PublicKey: conf.Key{7}, Endpoints: []conf.Endpoint{{Host: "a.example", Port: 7}, {Host: "192.0.2.9", Port: 9}}})
	book := bookResolver{}
	for i := range 100 {
		book["a.example"] = append(book["a.example"], netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
	}
	v.lookups = newLookups(book)
	v.resolveFirst(t.Context())
	list := v.peer.candidates
	if len(list) != maxAddresses+1 || list[maxAddresses].String() != "192.0.2.9:9" {
		t.Errorf("%v", list)
	}
}

// recordingResolver notes what it is asked, and knows nothing.
type recordingResolver struct{ asked chan string }

func (r recordingResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.asked <- host
	return nil, fmt.Errorf("no such host: %s", host)
}

// TestEveryNameIsLookedUp, and again while nobody answers.
func TestEveryNameIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{},
			conf.Peer{PublicKey: conf.Key{9}, Endpoints: []conf.Endpoint{{Host: "a.example", Port: 7}, {Host: "192.0.2.9", Port: 9}, {Host: "b.example", Port: 8}}})
		asked := make(chan string, 100)
		v.lookups = newLookups(recordingResolver{asked})
		v.start(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		count := make(map[string]int)
		for range len(asked) {
			count[<-asked]++
		}
		if count["a.example"] < 2 || count["b.example"] != count["a.example"] || len(count) != 2 {
			t.Errorf("asked for %v", count)
		}
	})
}

// TestAnUnprovedPlaceIsNotCalled: whoever forwards a packet can name it. A peer that has
// not proved to be there is called where it last was, and at its endpoints, whether or not
// the configuration names uplinks.
func TestAnUnprovedPlaceIsNotCalled(t *testing.T) {
	for _, uplinks := range []bool{false, true} {
		t.Run(fmt.Sprintf("uplinks %v", uplinks), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kind := single
				if uplinks {
					kind = named
				}
				m := newSites(t, sites{left: kind, right: single})
				m.start(t)
				foreign := netip.MustParseAddrPort("192.0.2.66:666")
				m.left.do(func(now time.Time) {
					p := m.left.peer
					stray := *p.path
					stray.Destination = udp.NewDestination(foreign, netip.Addr{})
					stray.pair.Remote, stray.allowance = foreign, new(allowance)
					p.path = &stray
					p.paths.Arrived(stray.pair, 200, true, now)
					called := func() (list []netip.AddrPort) {
						m.left.planCalls(p, now)
						for p.initiations.attempts = range 2 * p.callsInRound() {
							list = append(list, p.nextEndpoint().Remote())
						}
						return list
					}
					if list := called(); len(list) < 2 || slices.Contains(list, foreign) || !slices.Contains(list, m.right.at) {
						t.Errorf("called at %v", list)
					}
					p.candidates = nil
					if list := called(); len(list) < 2 || slices.Contains(list, foreign) || !slices.Contains(list, m.right.at) {
						t.Errorf("without endpoint: called at %v", list)
					}
					p.path = stray.proved()
					if list := called(); !slices.Contains(list, foreign) {
						t.Errorf("proved: called at %v", list)
					}
					if p.path, p.provedAt = &stray, (netip.AddrPort{}); !slices.Contains(called(), foreign) {
						t.Error("a peer that was nowhere else is not called at all")
					}
				})
			})
		})
	}
}
