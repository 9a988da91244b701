package tunnel

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/host"
	"fathom/tunnel/status"
)

// routedHost is a testHost with an answer to look-ups that changes.
type routedHost struct {
	testHost
	err   error
	asked int
	loops func(host.Flow) bool // nil: none
}

func (h *routedHost) Egress(flow host.Flow) (host.Egress, error) {
	h.asked++
	if h.err != nil {
		return host.Egress{}, h.err
	}
	if h.loops != nil && h.loops(flow) {
		return host.Egress{}, host.ErrLoop
	}
	return h.testHost.Egress(flow)
}

// reroute has the controller hear that the host's answer has changed.
func (v *virtual) reroute(h *routedHost, err error) {
	v.do(func(now time.Time) {
		h.err = err
		changes := host.NewChanges()
		changes.Any()
		v.hostChanged(changes.Take(), now)
		v.attendDue(now)
	})
}

// TestALoopIsNotUsed neither when it appears, for longer than any SA lives, nor by
// initiations; it is told once, and a place that is there again is used at once.
func TestALoopIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{RekeyAfter: 20 * time.Second}, time.Second)
		h := &routedHost{testHost: testHost{1500}}
		left.do(func(time.Time) { left.host.network = h })
		for range 2 {
			left.reroute(h, host.ErrLoop)
			if state := left.state(); state != status.PeerNoRoute || left.peer.session.Load() != nil {
				t.Errorf("state %s, session %v", state, left.peer.session.Load())
			}
			left.reroute(h, host.ErrLoop)
			sent, heard := left.wire.keepalives.Load(), right.events.drops.snapshot()
			time.Sleep(3 * time.Minute)
			if left.wire.keepalives.Load() != sent || len(right.events.drops.snapshot()) != len(heard) || right.state() == status.PeerEstablished {
				t.Errorf("the loop was used: the peer is %s", right.state())
			}
			left.reroute(h, nil)
			until(t, 10*time.Second, func() bool { return left.state() == status.PeerEstablished && right.state() == status.PeerEstablished })
		}
		if gone, back := left.log.count("no way to peer"), left.log.count("there is a way to the peer again"); gone != 2 || back != 2 {
			t.Errorf("told %d and %d times", gone, back)
		}
	})
}

// TestALoopFromTheStart leaves the peer uncalled until the way is free.
func TestALoopFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		h := &routedHost{testHost: testHost{1500}, err: host.ErrLoop}
		left.do(func(now time.Time) {
			left.host.network = h
			left.spis.remove(left.peer.sas.clear())
			left.peer.path = nil
			left.lost(left.peer, "test", now)
			left.attend(left.peer, now)
		})
		handshakes := func() (n uint64) {
			right.do(func(time.Time) { n = right.peer.handshakes })
			return n
		}
		before := handshakes()
		time.Sleep(50 * time.Second) // the other end would rekey
		if state := left.state(); state != status.PeerNoRoute || handshakes() != before {
			t.Errorf("state %s, %d handshakes more", state, handshakes()-before)
		}
		left.reroute(h, nil)
		until(t, time.Second, func() bool { return left.state() == status.PeerEstablished })
		if left.log.count("no way to peer") != 1 {
			t.Errorf("told %d times", left.log.count("no way to peer"))
		}
	})
}

// TestALoopFromOneOfOurAddresses: by the rules of a host the way may be free from
// another, and the peer is called from there.
func TestALoopFromOneOfOurAddresses(t *testing.T) {
	v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{}, conf.Peer{PublicKey: conf.Key{9}})
	ours, now := netip.MustParseAddr("192.0.2.99"), time.Now()
	h := &routedHost{testHost: testHost{1500}}
	v.host.network = h
	establishAt(t, v.controller, v.peer, netip.MustParseAddrPort("192.0.2.2:4500"), ours, now)
	h.loops = func(f host.Flow) bool { return f.Local.Addr() == ours }
	v.peer.egressStale = true
	v.attend(v.peer, now)
	if state := v.peer.state(); state != status.PeerNoRoute {
		t.Fatalf("state %s", state)
	}
	v.peer.initiations.want(now)
	for range 2 {
		now = now.Add(time.Minute)
		v.attend(v.peer, now)
	}
	if n := len(v.peer.initiations.outstanding); n != 1 || v.peer.state() != status.PeerNoRoute {
		t.Errorf("called %d times, state %s", n, v.peer.state())
	}
}

// TestALoopBesideAnotherCandidate: there is no route to the peer only while none of
// its endpoints can be called.
func TestALoopBesideAnotherCandidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{},
			conf.Peer{PublicKey: conf.Key{9}, Endpoints: []conf.Endpoint{{Host: "a.example", Port: 7}}})
		first, second := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("192.0.2.2")
		v.lookups = newLookups(bookResolver{"a.example": {first, second}})
		h := &routedHost{testHost: testHost{1500}, loops: func(f host.Flow) bool { return f.Remote.Addr() == first }}
		v.host.network = h
		v.start(t)
		for range 60 {
			time.Sleep(time.Second)
			if state := v.state(); state != status.PeerConnecting {
				t.Fatalf("state %s", state)
			}
		}
		free := h.loops
		v.do(func(time.Time) { h.loops = func(host.Flow) bool { return true } })
		until(t, time.Minute, func() bool { return v.state() == status.PeerNoRoute })
		time.Sleep(time.Minute)
		v.do(func(time.Time) { h.loops = free })
		until(t, time.Minute, func() bool { return v.state() == status.PeerConnecting })
		time.Sleep(time.Minute)
		if gone, back := v.log.count("no way to peer"), v.log.count("there is a way to the peer again"); gone != 1 || back != 1 {
			t.Errorf("told %d and %d times", gone, back)
		}
	})
}

// TestAPeerWithoutARoute keeps its session, since the kernel refuses what cannot
// leave; the state tells of it.
func TestAPeerWithoutARoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := virtualPair(t, conf.Tunnel{}, 0)
		h := &routedHost{testHost: testHost{1500}}
		left.do(func(time.Time) { left.host.network = h })
		left.reroute(h, errors.New("network is unreachable"))
		if state := left.state(); state != status.PeerNoRoute || !left.peer.session.Load().ready() {
			t.Errorf("state %s", state)
		}
		left.reroute(h, nil)
		if state := left.state(); state != status.PeerEstablished {
			t.Errorf("state %s", state)
		}
	})
}

// TestAPlaceWithoutAWayIsNotLookedUpForEveryPacket from there.
func TestAPlaceWithoutAWayIsNotLookedUpForEveryPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := virtualPair(t, conf.Tunnel{}, 0)
		h := &routedHost{testHost: testHost{1500}}
		left.do(func(time.Time) { left.host.network, h.err = h, host.ErrLoop })
		place := netip.MustParseAddrPort("192.0.2.77:4500")
		for range 100 {
			left.do(func(now time.Time) { left.arrived(left.peer, origin{from: place, local: left.at.Addr()}, true, now) })
		}
		if h.asked != 1 || left.state() != status.PeerEstablished {
			t.Errorf("asked %d times; the peer is %s", h.asked, left.state())
		}
		time.Sleep(refusedFor)
		left.do(func(now time.Time) {
			h.err = nil
			left.arrived(left.peer, origin{from: place, local: left.at.Addr()}, true, now)
		})
		time.Sleep(time.Minute)
		left.do(func(time.Time) {
			if at := left.peer.path.Remote(); at == place || h.asked != 2 {
				t.Errorf("the peer is at %v, asked %d times", at, h.asked)
			}
		})
	})
}

// TestAPeerIsCalledFromAnotherAddressToo: the one that it knows may be of no use any
// more.
func TestAPeerIsCalledFromAnotherAddressToo(t *testing.T) {
	p := newPeer(conf.Peer{})
	known, ours := netip.MustParseAddrPort("192.0.2.2:4500"), netip.MustParseAddr("192.0.2.1")
	other := netip.MustParseAddrPort("[2001:db8::2]:4500")
	p.path, p.candidates = newPath(known, ours), []netip.AddrPort{other}
	for i, want := range []struct {
		to   netip.AddrPort
		from netip.Addr
	}{{known, ours}, {other, netip.Addr{}}, {known, netip.Addr{}}, {other, netip.Addr{}}, {known, ours}} {
		p.initiations.attempts = i
		if got := p.nextEndpoint(); !got.Matches(want.to, want.from) {
			t.Errorf("attempt %d goes to %v from %v", i, got.Remote(), got.Local())
		}
	}
}
