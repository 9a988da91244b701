package tunnel

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
)

// stuckResolver does not answer before it is told to give up.
type stuckResolver struct{ asked, ended atomic.Int64 }

func (r *stuckResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	r.asked.Add(1)
	<-ctx.Done()
	time.Sleep(time.Second) // not at once either
	r.ended.Add(1)
	return nil, ctx.Err()
}

// TestLookupsEndWithTheController: run returns when none is under way any more.
func TestLookupsEndWithTheController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{},
			conf.Peer{PublicKey: conf.Key{8}, Endpoints: []conf.Endpoint{{Host: "a.example", Port: 1}}},
			conf.Peer{PublicKey: conf.Key{9}, Endpoints: []conf.Endpoint{{Host: "b.example", Port: 1}}})
		resolver := new(stuckResolver)
		v.lookups = newLookups(resolver)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		v.run(ctx)
		if resolver.asked.Load() != 2 || resolver.ended.Load() != 2 {
			t.Errorf("%d look-ups, %d have ended", resolver.asked.Load(), resolver.ended.Load())
		}
	})
}

// TestAFailedLookupIsTriedAgain, and what it finds is called at once.
func TestAFailedLookupIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{},
			conf.Peer{Name: "peer", PublicKey: conf.Key{9}, Endpoints: []conf.Endpoint{{Host: "a.example", Port: 7}}})
		resolver := new(stuckResolver)
		v.lookups = newLookups(resolver)
		v.start(t)
		until(t, time.Minute, func() bool { return v.log.count("endpoint's name does not resolve") > 0 })
		until(t, time.Minute, func() bool { return resolver.asked.Load() == 2 })
		v.do(func(now time.Time) {
			v.resolved(v.peer, 0, []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.9")}, nil, now)
			if len(v.peer.initiations.outstanding) != 1 || v.peer.initiations.outstanding[0].to != netip.MustParseAddrPort("192.0.2.9:7") {
				t.Errorf("called: %+v", v.peer.initiations.outstanding)
			}
		})
		v.stop()
		synctest.Wait()
		time.Sleep(time.Minute)
	})
}

// bookResolver knows some names.
type bookResolver map[string][]netip.Addr

func (r bookResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if addrs, ok := r[host]; ok {
		return addrs, nil
	}
	return nil, errors.New("no such host")
}

// TestNamesAreKnownBeforeADefaultRoute: afterwards the answer may need the tunnel.
func TestNamesAreKnownBeforeADefaultRoute(t *testing.T) {
	v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{},
		conf.Peer{PublicKey: conf.Key{7}, Endpoints: []conf.Endpoint{{Host: "a.example", Port: 7}}},
		conf.Peer{PublicKey: conf.Key{8}, Endpoints: []conf.Endpoint{{Host: "b.example", Port: 8}}},
		conf.Peer{PublicKey: conf.Key{9}, Endpoints: []conf.Endpoint{{Host: "192.0.2.9", Port: 9}}},
		conf.Peer{PublicKey: conf.Key{10}})
	v.lookups = newLookups(bookResolver{"a.example": {netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("::ffff:192.0.2.2")}})
	v.resolveFirst(t.Context())
	want := []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::2]:7"), netip.MustParseAddrPort("192.0.2.2:7")}
	if got := v.peers[0].candidates; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, p := range v.peers[1:] {
		if len(p.candidates) > 0 {
			t.Errorf("%v of %v", p.candidates, p.endpoints)
		}
	}
	// A later look-up that fails leaves what is known.
	v.resolved(v.peer, 0, nil, errors.New("timeout"), time.Now())
	if got := v.peer.candidates; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestAPeerIsCalledWhereItWasBesideItsName: the name may be of no use at the start, or
// the place. What the name says later is called at once if it is new.
func TestAPeerIsCalledWhereItWasBesideItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		v := w.newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{},
			conf.Peer{PublicKey: conf.Key{9}, Endpoints: []conf.Endpoint{{Host: "a.example", Port: 7}}})
		was := netip.MustParseAddrPort("198.51.100.2:4501")
		v.endpoints.remember(v.peer.public, was, time.Now())
		v.saveEndpoints()
		v = w.newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, v.config.Tunnel, v.config.Peers...)
		v.lookups = newLookups(bookResolver{})
		called := func(want ...string) {
			t.Helper()
			time.Sleep(10 * initiationGap) // its turn has come
			var got []string
			v.do(func(time.Time) {
				for _, i := range v.peer.initiations.outstanding {
					got = append(got, i.to.String())
				}
			})
			if !slices.Equal(got, want) {
				t.Errorf("called at %v, want %v", got, want)
			}
		}
		v.resolveFirst(t.Context())
		v.start(t)
		called("198.51.100.2:4501")
		found := []netip.Addr{netip.MustParseAddr("192.0.2.9")}
		v.do(func(now time.Time) { v.resolved(v.peer, 0, found, nil, now) })
		called("198.51.100.2:4501", "192.0.2.9:7")
		v.do(func(now time.Time) { v.resolved(v.peer, 0, found, nil, now) })
		called("198.51.100.2:4501", "192.0.2.9:7")
		if want := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.9:7"), was}; !slices.Equal(v.peer.candidates, want) {
			t.Errorf("candidates %v, want %v", v.peer.candidates, want)
		}
	})
}

// restlessResolver has another address each time, after a while.
type restlessResolver struct{ asked atomic.Int64 }

func (r *restlessResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	n := r.asked.Add(1)
	time.Sleep(time.Millisecond)
	return []netip.Addr{netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)})}, nil
}

// TestANameWithAnotherAddressEachTime is not looked up more often than a few times for
// each time that a new address is called at once.
func TestANameWithAnotherAddressEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{},
			conf.Peer{PublicKey: conf.Key{9}, Endpoints: []conf.Endpoint{{Host: "a.example", Port: 7}}})
		resolver := new(restlessResolver)
		v.lookups = newLookups(resolver)
		v.start(t)
		const spells = 12
		time.Sleep(spells * renumberedEvery)
		if n := resolver.asked.Load(); n > 4*spells {
			t.Errorf("%d look-ups in %v", n, spells*renumberedEvery)
		}
	})
}

// TestANewAddressOfAnEstablishedPeerIsOffered at once, and one that is gone no more.
func TestANewAddressOfAnEstablishedPeerIsOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMultihomed(t, false)
		m.start(t)
		other := netip.MustParseAddr("192.0.2.130")
		m.left.do(func(now time.Time) {
			p := m.left.peer
			p.endpoints = []conf.Endpoint{{Host: "b.example", Port: 4500}}
			offered := func() (n int) {
				for _, s := range p.paths.Status(now) {
					if s.Ours && s.Remote.Addr() == other {
						n++
					}
				}
				return n
			}
			for _, test := range []struct {
				addrs []netip.Addr
				want  int
			}{
				{[]netip.Addr{m.right.at.Addr()}, 0},
				{[]netip.Addr{m.right.at.Addr(), other}, 2}, // by each uplink
				{[]netip.Addr{m.right.at.Addr()}, 0},
			} {
				m.left.resolved(p, 0, test.addrs, nil, now)
				if n := offered(); n != test.want {
					t.Errorf("with %v: %d pairs to the new address, want %d", test.addrs, n, test.want)
				}
			}
			if p.path.Remote() != m.right.at {
				t.Errorf("the peer is at %v", p.path.Remote())
			}
		})
	})
}
