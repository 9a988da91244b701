package tunnel

import (
	"net/netip"
	"testing"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/udp"
)

func TestAPeerIsFoundWhereItIs(t *testing.T) {
	here, there := netip.MustParseAddrPort("192.0.2.1:4500"), netip.MustParseAddrPort("[2001:db8::1]:4500")
	places := new(places)
	first, second := newPeer(conf.Peer{}), newPeer(conf.Peer{})
	move := func(p *peer, to netip.AddrPort) {
		places.move(p, to)
		p.path = newPath(to, netip.Addr{})
	}
	for i, step := range []struct {
		peer            *peer
		to              netip.AddrPort
		atHere, atThere *peer
	}{
		{first, here, first, nil},
		{second, there, first, second},
		{first, there, nil, first},    // on the same place as the second
		{second, here, second, first}, // which leaves the first alone
		{first, there, second, first},
	} {
		move(step.peer, step.to)
		if places.at(here) != step.atHere || places.at(there) != step.atThere {
			t.Errorf("step %d: not found", i)
		}
	}
}

// TestForgedPTBsReachTheControllerRarely, and those that name no peer never.
func TestForgedPTBsReachTheControllerRarely(t *testing.T) {
	v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{}, conf.Peer{PublicKey: conf.Key{9}})
	establish(t, v.controller, v.peer, time.Now())
	told := func(m udp.ICMP) int {
		before := v.events.waiting()
		for range 10 {
			v.events.icmp(m)
		}
		return v.events.waiting() - before
	}
	at := v.peer.path.Remote()
	if n := told(udp.ICMP{Kind: udp.PTB, To: netip.AddrPortFrom(at.Addr(), at.Port()+1), MTU: 600}); n != 0 {
		t.Errorf("%d events about a place without a peer", n)
	}
	if n := told(udp.ICMP{Kind: udp.PTB, To: at, MTU: 600}); n < 1 || n > 9 {
		t.Errorf("%d events of ten forged PTBs", n)
	}
	for v.events.strange.allow(time.Now().Add(time.Hour)) {
	}
	v.peer.strangePTBs = limit{}
	if n := told(udp.ICMP{Kind: udp.PTB, To: at, MTU: 600}); n != 0 {
		t.Errorf("%d events when there are too many about all peers", n)
	}
}
