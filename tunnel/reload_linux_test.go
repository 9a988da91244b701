package tunnel

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/host"
	"fathom/tunnel/status"
)

// reloads takes in a configuration that a change makes of the present one, as reloader does
// with a file.
func (v *virtual) reloads(t *testing.T, change func(c *conf.Config)) error {
	t.Helper()
	next := v.config
	next.Peers = slices.Clone(next.Peers)
	change(&next)
	r := &reloader{tunnel: &Tunnel{config: v.config.Tunnel, company: v.peer.company}, controller: v.controller, routes: v.routes(), running: &v.config}
	err := r.apply(t.Context(), v.config.ChangesTo(&next), &next)
	v.config = *r.running
	return err
}

func (v *virtual) routes() *routes { return newRoutes(nil) }

// named is a peer of the controller, nil if there is none.
func (v *virtual) called(name string) (found *peer) {
	v.do(func(time.Time) { found, _ = v.controller.named(name) })
	return found
}

// spisOf are the SPIs of the pair in use with a peer.
func (v *virtual) spisOf(name string) (spis [2]uint32) {
	p := v.called(name)
	v.do(func(now time.Time) {
		s := p.status(now)
		spis = [2]uint32{s.SendSPI, s.ReceiveSPI}
	})
	return spis
}

func (v *virtual) stateOf(name string) (s status.PeerState) {
	p := v.called(name)
	v.do(func(time.Time) { s = p.state() })
	return s
}

// virtualHub runs a hub and its spokes, 1 and more, which have called it. The hub knows the
// keys of all, and as peers those that are said.
func virtualHub(t *testing.T, spokes, known int) (hub *virtual, ends []*virtual, peers []conf.Peer) {
	t.Helper()
	keys := make([]crypto.PrivateKey, spokes+1)
	for i := range keys {
		var err error
		if keys[i], err = crypto.GeneratePrivateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
		public, err := keys[i].Public()
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, conf.Peer{Name: fmt.Sprint(i), PublicKey: conf.Key(public), PLPMTU: 1400, Endpoints: []conf.Endpoint{{Host: fmt.Sprintf("192.0.2.%d", i+1), Port: 4500}},
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.77.0.%d/32", i+1))}})
	}
	w := newWire()
	hub = w.newVirtual(t, "192.0.2.1:4500", keys[0], conf.Tunnel{Routes: true}, peers[1:known+1]...)
	hub.start(t)
	for i := 1; i <= spokes; i++ {
		end := w.newVirtual(t, fmt.Sprintf("192.0.2.%d:4500", i+1), keys[i], conf.Tunnel{}, peers[0])
		end.start(t)
		ends = append(ends, end)
	}
	for i := range known {
		until(t, time.Minute, func() bool { return hub.stateOf(fmt.Sprint(i+1)) == status.PeerEstablished })
	}
	time.Sleep(2 * retireGrace) // of two handshakes that have crossed one pair is left
	return hub, ends, peers[1:]
}

// TestAReloadAddsAndRemovesPeers takes one peer from a hub and gives it another. The third
// keeps its SAs, and is heard as before.
func TestAReloadAddsAndRemovesPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, ends, peers := virtualHub(t, 3, 2)
		kept, gone := hub.spisOf("1"), hub.called("2")
		goneSPI := hub.spisOf("2")[1]
		if err := hub.reloads(t, func(c *conf.Config) { c.Peers = []conf.Peer{peers[2], peers[0]} }); err != nil {
			t.Fatal(err)
		}
		until(t, time.Minute, func() bool { return hub.stateOf("3") == status.PeerEstablished })
		if now := hub.spisOf("1"); now != kept {
			t.Errorf("SPIs of the peer that is kept: %x, were %x", now, kept)
		}
		if hub.spis.get(goneSPI) != nil {
			t.Error("the SA of the peer that is gone still receives")
		}
		if gone.session.Load() != nil || hub.places.at(ends[1].at) != nil {
			t.Error("packets may still be sent to the peer that is gone")
		}
		hub.do(func(time.Time) {
			if names := []string{hub.peers[0].name, hub.peers[1].name}; !slices.Equal(names, []string{"3", "1"}) {
				t.Errorf("peers %q: not in the order of the file", names)
			}
			if !gone.appointment.at.IsZero() {
				t.Error("the peer that is gone is still attended to")
			}
		})
		told := until(t, time.Minute, func() bool { return ends[1].state() != status.PeerEstablished })
		if told > hub.wire.trip+time.Millisecond {
			t.Errorf("the peer that is gone is told after %v", told)
		}
		// It calls again and again, and is a stranger.
		time.Sleep(time.Minute)
		if ends[1].state() == status.PeerEstablished {
			t.Error("the peer that is gone has come back")
		}
		// What is under way from or about it when it goes changes nothing.
		hub.do(func(now time.Time) { hub.attend(gone, now) })
		if hub.events.notify(gone, func(*controller, time.Time) { t.Error("its mailbox is read") }) {
			t.Error("its mailbox is open")
		}
		hub.do(func(time.Time) {
			if gone.removed && !gone.appointment.at.IsZero() {
				t.Error("it is in the agenda again")
			}
		})

		if err := hub.reloads(t, func(c *conf.Config) { c.Peers = append(c.Peers, peers[1]) }); err != nil {
			t.Fatal(err)
		}
		until(t, time.Minute, func() bool { return hub.stateOf("2") == status.PeerEstablished })
		if now := hub.spisOf("1"); now != kept && hub.called("1").handshakes == 1 {
			t.Errorf("SPIs of the peer that is kept: %x, were %x", now, kept)
		}
	})
}

// TestRequestsAboutAPeerThatGoes holds that who waits for a peer hears that it is gone.
func TestRequestsAboutAPeerThatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		right.wire.cut.Store(true)
		name := left.peer.name
		asked := make(chan error)
		for _, request := range []func() error{
			func() error { _, err := left.controller.echo(t.Context(), name); return err },
			func() error { _, err := left.controller.probe(t.Context(), name); return err },
			func() error { _, err := left.controller.facts(t.Context(), name); return err },
		} {
			go func() { asked <- request() }()
		}
		time.Sleep(time.Second)
		if err := left.reloads(t, func(c *conf.Config) { c.Peers = nil }); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		unknown := 0
		for range 3 {
			if errors.Is(<-asked, status.ErrNoPeer) {
				unknown++
			}
		}
		if unknown != 2 || time.Since(began) > 0 { // the probe has a result: what it found until then
			t.Errorf("%d of those who wait heard that the peer is gone, after %v", unknown, time.Since(began))
		}
		if _, err := left.echo(t.Context(), name); !errors.Is(err, status.ErrNoPeer) {
			t.Errorf("asked for later: %v", err)
		}
	})
}

// TestAReloadChangesAPeer changes the settings of a peer that is up.
func TestAReloadChangesAPeer(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(p *conf.Peer)
		check  func(left, right *virtual) bool
	}{
		{"keepalive", func(p *conf.Peer) { p.Keepalive = 3 * time.Second }, func(left, right *virtual) bool { return left.wire.keepalives.Load() >= 3 }},
		{"plpmtu", func(p *conf.Peer) { p.PLPMTU = 1300 }, func(left, right *virtual) bool { return left.peer.path.plpmtu == 1300 }},
		{"probing", func(p *conf.Peer) { p.PLPMTU = 0 }, func(left, right *virtual) bool { return left.peer.path.plpmtu == 1500 }},
		{"a name in the place of an address", func(p *conf.Peer) { p.Endpoints = []conf.Endpoint{{Host: "none.invalid", Port: 4500}} },
			func(left, right *virtual) bool { return left.peer.path.Remote() == right.at }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := virtualPair(t, conf.Tunnel{}, 0)
				left.lookups.resolver = noResolver{}
				before := left.spisOf(left.peer.name)
				if err := left.reloads(t, func(c *conf.Config) { test.change(&c.Peers[0]) }); err != nil {
					t.Fatal(err)
				}
				until(t, 5*time.Minute, func() (done bool) {
					left.do(func(time.Time) { done = test.check(left, right) })
					return done
				})
				if n := left.called(left.peer.name); n != left.peer || left.state() != status.PeerEstablished {
					t.Errorf("the peer is another, or %v", left.state())
				}
				if test.name == "plpmtu" && left.spisOf(left.peer.name) != before {
					t.Error("its SAs are others")
				}
			})
		})
	}
}

// TestAReloadSendsAPeerElsewhere gives a peer that is up another endpoint, by which it can
// be reached, too: from then on it is sent to there. Then one by which it cannot be reached:
// that costs nothing.
func TestAReloadSendsAPeerElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := newVirtualPair(t, conf.Tunnel{}, 0)
		second := netip.MustParseAddrPort("192.0.2.9:4500")
		right.others = []netip.Addr{second.Addr()}
		right.wire.ends[second] = right
		right.start(t)
		left.start(t)
		until(t, time.Minute, func() bool { return left.state() == status.PeerEstablished })
		at := func() (at netip.AddrPort) {
			left.do(func(time.Time) { at = left.peer.path.Remote() })
			return at
		}
		for i, test := range []struct {
			endpoint string
			want     netip.AddrPort
		}{{"192.0.2.9", second}, {"192.0.2.99", second}} {
			if err := left.reloads(t, func(c *conf.Config) { c.Peers[0].Endpoints = []conf.Endpoint{{Host: test.endpoint, Port: 4500}} }); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				until(t, time.Minute, func() bool { return at() == test.want })
			}
			time.Sleep(time.Minute)
			if got := at(); got != test.want || left.state() != status.PeerEstablished {
				t.Errorf("endpoint %s: is sent to at %v, and is %v; want %v", test.endpoint, got, left.state(), test.want)
			}
		}
	})
}

// noResolver finds no name.
type noResolver struct{}

func (noResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errors.New("no such name")
}

// refusingHost has a route of its own to a prefix, and counts what it is told.
type refusingHost struct {
	testHost
	refused netip.Prefix
	routes  map[netip.Prefix]bool
}

var errRefused = errors.New("refused")

func (h *refusingHost) Route(r host.Route) error {
	if r.Prefix == h.refused {
		return errRefused
	}
	h.routes[r.Prefix] = true
	return nil
}

func (h *refusingHost) Withdraw(prefix netip.Prefix) error {
	delete(h.routes, prefix)
	return nil
}

// TestAReloadThatTheHostRefuses holds that nothing changes when the host does not take one of
// the routes, and which routes it has after one that it takes.
func TestAReloadThatTheHostRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _, peers := virtualHub(t, 3, 2)
		has := &refusingHost{testHost{1500}, peers[2].AllowedIPs[0], map[netip.Prefix]bool{peers[0].AllowedIPs[0]: true, peers[1].AllowedIPs[0]: true}}
		hub.do(func(time.Time) { hub.controller.host.network, hub.controller.host.routes = has, true })
		more := netip.MustParsePrefix("10.78.0.0/16")
		change := func(c *conf.Config) {
			c.Peers = []conf.Peer{peers[0], peers[2]}
			c.Peers[0].AllowedIPs = []netip.Prefix{more}
		}
		want := hub.spisOf("2")
		if err := hub.reloads(t, change); !errors.Is(err, errRefused) {
			t.Errorf("error %v", err)
		}
		if len(has.routes) != 2 || has.routes[more] || hub.spisOf("2") != want || len(hub.config.Peers) != 2 || hub.config.Peers[1].Name != "2" {
			t.Errorf("something has changed: routes %v", has.routes)
		}
		has.refused = netip.Prefix{}
		if err := hub.reloads(t, change); err != nil {
			t.Fatal(err)
		}
		if len(has.routes) != 2 || !has.routes[more] || !has.routes[peers[2].AllowedIPs[0]] {
			t.Errorf("routes %v", has.routes)
		}
	})
}

// TestKeysChangeWithoutAnOutage takes both ends of a tunnel through a change of the left
// one's key: the right one learns of the coming key, the left one takes it, the right one
// forgets the old one. At any time both are up, and packets arrive; at the end only the new
// key does.
func TestKeysChangeWithoutAnOutage(t *testing.T) {
	for _, test := range []struct {
		name string
		cut  bool // nothing arrives while the key changes, and then the right one calls
	}{{"the left one calls", false}, {"the right one calls", true}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := virtualPair(t, conf.Tunnel{RekeyAfter: time.Minute}, 0)
				next, err := crypto.GeneratePrivateKey(rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				public, err := next.Public()
				if err != nil {
					t.Fatal(err)
				}
				flows := func(when string) {
					t.Helper()
					for range 20 {
						before := right.peer.rx.packets.Load()
						left.send(3)
						time.Sleep(left.wire.trip + time.Millisecond)
						synctest.Wait()
						if n := right.peer.rx.packets.Load() - before; n != 1 && !left.wire.cut.Load() {
							t.Fatalf("%s: %d packets arrive", when, n)
						}
					}
				}
				flows("before")
				if err := right.reloads(t, func(c *conf.Config) { c.Peers[0].ComingKey = conf.Key(public) }); err != nil {
					t.Fatal(err)
				}
				flows("with two keys")
				was := left.peer.handshakes
				left.wire.cut.Store(test.cut)
				if err := left.reloads(t, func(c *conf.Config) { c.Tunnel.PrivateKey = conf.SecretKey(next) }); err != nil {
					t.Fatal(err)
				}
				flows("as the key changes")
				if test.cut {
					left.do(func(time.Time) { left.peer.initiations.done() }) // it gives up
					left.wire.cut.Store(false)
					right.do(func(now time.Time) { right.peer.initiations.hurry(now); right.attend(right.peer, now) })
				}
				until(t, time.Minute, func() (done bool) {
					left.do(func(time.Time) { done = left.peer.handshakes > was })
					return done
				})
				left.do(func(time.Time) {
					if called := !left.peer.sas.current.initiator; called != test.cut {
						t.Errorf("the right end has called: %v", called)
					}
				})
				flows("with the new key")
				until(t, time.Minute, func() (done bool) {
					right.do(func(time.Time) { done = right.peer.public == public })
					return done
				})
				if err := right.reloads(t, func(c *conf.Config) { c.Peers[0].PublicKey, c.Peers[0].ComingKey = conf.Key(public), conf.Key{} }); err != nil {
					t.Fatal(err)
				}
				flows("without the old key")
				for range 5 { // rekeys
					time.Sleep(time.Minute)
					flows("later")
				}
				if n := left.log.count("peer lost") + right.log.count("peer lost"); n != 0 {
					t.Errorf("%d times a peer was lost", n)
				}
			})
		})
	}
}

// TestAHandshakeByTheKeyBefore that is counted after the key has changed does not pass for
// one by the new key: the left end has answered by the old one, and then changes it before
// the first packet on the new SAs arrives.
func TestAHandshakeByTheKeyBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		old := left.handshaker.public.String()
		next, err := crypto.GeneratePrivateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, err := next.Public()
		if err != nil {
			t.Fatal(err)
		}
		own := func() (key string, handshakes uint64) {
			left.do(func(now time.Time) { s := left.peer.status(now); key, handshakes = s.OwnKey, s.Handshakes })
			return key, handshakes
		}
		key, was := own()
		if key != old {
			t.Fatalf("own key %s before, want %s", key, old)
		}
		right.do(func(now time.Time) { right.peer.initiations.hurry(now); right.attend(right.peer, now) })
		until(t, time.Minute, func() (answered bool) {
			left.do(func(time.Time) {
				answered = slices.ContainsFunc(left.peer.sas.pairs, func(p *saPair) bool { return !p.initiator && !p.proven })
			})
			return answered
		})
		if err := left.reloads(t, func(c *conf.Config) { c.Tunnel.PrivateKey = conf.SecretKey(next) }); err != nil {
			t.Fatal(err)
		}
		until(t, time.Minute, func() bool { _, n := own(); return n > was })
		time.Sleep(time.Minute) // the right end does not know the new key
		if key, _ := own(); key != old {
			t.Errorf("a handshake by the key before passes for one by %s", key)
		}
		if err := right.reloads(t, func(c *conf.Config) { c.Peers[0].ComingKey = conf.Key(public) }); err != nil {
			t.Fatal(err)
		}
		until(t, 5*time.Minute, func() bool { key, _ := own(); return key == public.String() })
	})
}

// TestAKeyThatIsRemoved holds that SAs made with a key end when the configuration does not
// have it any more.
func TestAKeyThatIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := virtualPair(t, conf.Tunnel{}, 0)
		other, err := crypto.PrivateKey{8}.Public()
		if err != nil {
			t.Fatal(err)
		}
		old := left.config.Peers[0].PublicKey
		for _, keys := range [][2]conf.Key{{old, conf.Key(other)}, {conf.Key(other), old}, {conf.Key(other), {}}} {
			if left.state() != status.PeerEstablished {
				t.Fatalf("before %v: %v", keys, left.state())
			}
			if err := left.reloads(t, func(c *conf.Config) { c.Peers[0].PublicKey, c.Peers[0].ComingKey = keys[0], keys[1] }); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		if s := left.state(); s == status.PeerEstablished {
			t.Errorf("a peer without its key is %v", s)
		}
	})
}
