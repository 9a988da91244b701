package tunnel

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/host"
)

// TestPeersWithAnSAAreCompany, and others are not: one without company is waited for.
func TestPeersWithAnSAAreCompany(t *testing.T) {
	v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{},
		conf.Peer{PublicKey: conf.Key{8}}, conf.Peer{PublicKey: conf.Key{9}}, conf.Peer{PublicKey: conf.Key{10}})
	now := time.Now()
	up := func(i int) {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 0, byte(i)}), 4500)
		establishAt(t, v.controller, v.peers[i], at, netip.MustParseAddr("192.0.2.1"), now)
	}
	lose := func(i int) {
		v.peers[i].sas.clear()
		v.peers[i].publish()
	}
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"one is up", func() { up(0) }, false},
		{"it has new keys", func() { up(0) }, false},
		{"a second", func() { up(1) }, true},
		{"whose way becomes a loop", func() { v.noteWay(v.peers[1], v.peers[1].path.Remote(), host.ErrLoop, time.Now()) }, false},
		{"and is free again", func() { v.noteWay(v.peers[1], v.peers[1].path.Remote(), nil, time.Now()) }, true},
		{"the first is lost", func() { lose(0) }, false},
		{"a third", func() { up(2) }, true},
		{"both are lost", func() { lose(1); lose(2) }, false},
	} {
		step.do()
		if got := v.peer.company.Several(); got != step.want {
			t.Errorf("%s: %v", step.name, got)
		}
	}
}

// TestAWayThatComesAndGoesIsToldRarely: a few times at once, later one change each
// warnEvery. What is not told is known all the same.
func TestAWayThatComesAndGoesIsToldRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{}, conf.Peer{PublicKey: conf.Key{9}})
		at := netip.MustParseAddrPort("192.0.2.2:4500")
		told := func() int { return v.log.count("no way to peer") + v.log.count("there is a way to the peer again") }
		flap := func(times int) (n int) {
			before := told()
			for range times {
				for _, err := range []error{host.ErrLoop, nil} {
					v.noteWay(v.peer, at, err, time.Now())
					v.noteWay(v.peer, at, err, time.Now()) // nothing new
					if (v.peer.noWay == nil) != (err == nil) {
						t.Fatalf("noted %v of %v", v.peer.noWay, err)
					}
				}
			}
			return told() - before
		}
		if n := flap(1); n != 2 {
			t.Errorf("%d lines for a way that goes and comes", n)
		}
		if n := flap(1000); n > 2*movesBurst-2 {
			t.Errorf("%d more lines at once", n)
		}
		time.Sleep(3 * warnEvery)
		if n := flap(1000); n != 3 {
			t.Errorf("%d lines after %v, want 3", n, 3*warnEvery)
		}
	})
}
