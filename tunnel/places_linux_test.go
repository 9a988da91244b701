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
		p.path = newPath(to, netip.Addr{})
		places.follow(p)
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

// TestAPeerIsFoundWhereItsPathsLead that stand by, unless another peer is there.
func TestAPeerIsFoundWhereItsPathsLead(t *testing.T) {
	at := [3]netip.AddrPort{}
	for i := range at {
		at[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 4500)
	}
	places := new(places)
	first, second := newPeer(conf.Peer{}), newPeer(conf.Peer{})
	second.path = newPath(at[2], netip.Addr{})
	places.follow(second)
	for i, step := range []struct {
		inUse    int
		standbys []int
		found    [3]*peer
	}{
		{0, nil, [3]*peer{first, nil, second}},
		{0, []int{1, 2}, [3]*peer{first, first, second}},
		{1, []int{0, 0}, [3]*peer{first, first, second}}, // by two interfaces
		{1, []int{2}, [3]*peer{nil, first, second}},
		{2, []int{1}, [3]*peer{nil, first, first}},
		{1, nil, [3]*peer{nil, first, nil}},
	} {
		first.path = newPath(at[step.inUse], netip.Addr{})
		first.standbys.all = nil
		for n, place := range step.standbys {
			first.standbys.all = append(first.standbys.all, &pathDiscovery{key: pathKey{n, at[place]}})
		}
		for range 2 { // twice changes nothing
			places.follow(first)
		}
		for place, want := range step.found {
			if places.at(at[place]) != want {
				t.Errorf("step %d: another peer than wanted, or none, at %v", i, at[place])
			}
		}
	}
}

// TestAPeerThatStandsByIsFoundAfterAnotherHasLeft the place that both had.
func TestAPeerThatStandsByIsFoundAfterAnotherHasLeft(t *testing.T) {
	here, shared, away := netip.MustParseAddrPort("192.0.2.1:4500"), netip.MustParseAddrPort("192.0.2.2:4500"), netip.MustParseAddrPort("192.0.2.3:4500")
	places := new(places)
	first, second := newPeer(conf.Peer{}), newPeer(conf.Peer{})
	second.path = newPath(shared, netip.Addr{})
	places.follow(second)
	first.path = newPath(here, netip.Addr{})
	first.standbys.all = []*pathDiscovery{{key: pathKey{1, shared}}}
	places.follow(first)
	if places.at(shared) != second {
		t.Error("the peer that is there is not found")
	}
	second.path = newPath(away, netip.Addr{})
	places.follow(second)
	places.follow(first)
	if places.at(shared) != first {
		t.Error("the peer that stands by there is not found")
	}
}

// TestAPeerThatIsGoneIsFoundNowhere, neither where it was nor where its paths led that stood
// by, and leaves the places to others: to itself too, when it is added again.
func TestAPeerThatIsGoneIsFoundNowhere(t *testing.T) {
	at := [4]netip.AddrPort{}
	for i := range at {
		at[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 4500)
	}
	places := new(places)
	placed := func(inUse int, standbys ...int) *peer {
		p := newPeer(conf.Peer{})
		p.path = newPath(at[inUse], netip.Addr{})
		for n, place := range standbys {
			p.standbys.all = append(p.standbys.all, &pathDiscovery{key: pathKey{n, at[place]}})
		}
		places.follow(p)
		return p
	}
	other := placed(2)
	var p *peer
	for i, step := range []struct {
		do    func()
		found func() [4]*peer
	}{
		{func() { p = placed(0, 1, 2, 3) }, func() [4]*peer { return [4]*peer{p, p, other, p} }},
		{func() { places.leave(p) }, func() [4]*peer { return [4]*peer{nil, nil, other, nil} }},
		{func() { p.path = nil; places.leave(p); places.follow(p) }, func() [4]*peer { return [4]*peer{nil, nil, other, nil} }},
		{func() { p = placed(3, 0, 1) }, func() [4]*peer { return [4]*peer{p, p, other, p} }},
		{func() { places.leave(other) }, func() [4]*peer { return [4]*peer{p, p, nil, p} }},
	} {
		step.do()
		for place, want := range step.found() {
			if places.at(at[place]) != want {
				t.Errorf("step %d: another peer than wanted, or none, at %v", i, at[place])
			}
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
