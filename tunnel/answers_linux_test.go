package tunnel

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/tunnel/host"
	"fathom/tunnel/udp"
)

// TestAnswersLeaveByTheUplinkThatTheyCameBy where that has the address which the caller
// has reached.
func TestAnswersLeaveByTheUplinkThatTheyCameBy(t *testing.T) {
	addr := netip.MustParseAddr
	first4, second4, second6, fixed6 := addr("198.51.100.1"), addr("203.0.113.1"), addr("2001:db8:2::1"), addr("2001:db8:2::2")
	by := func(uplink string, index int, local, source netip.Addr) host.Way {
		return host.Way{Uplink: uplink, Local: local, Source: source, Egress: host.Egress{Interface: index}}
	}
	var a, none answers
	a.learn([]host.Way{by("wan1", 1, first4, first4), by("wan2", 2, second4, second4), by("wan2", 2, second6, netip.Addr{}), by("wan2", 2, fixed6, fixed6)})
	for _, test := range []struct {
		name   string
		local  netip.Addr
		index  int
		source netip.Addr
		by     int
	}{
		{"the first", first4, 1, first4, 1},
		{"the second", second4, 2, second4, 2},
		{"the kernel chooses the address", second6, 2, netip.Addr{}, 2},
		{"a rule leads by the uplink", fixed6, 2, fixed6, 2},
		{"by the one to the other's address", second4, 1, second4, 0},
		{"not an uplink", addr("10.0.0.1"), 3, addr("10.0.0.1"), 0},
		{"the kernel does not say", second4, 0, second4, 0},
	} {
		from := netip.MustParseAddrPort("192.0.2.2:4500")
		if test.local.Is6() {
			from = netip.MustParseAddrPort("[2001:db8::2]:4500")
		}
		o := origin{from: from, local: test.local, index: test.index}
		if to := a.to(o); to.Remote() != from || to.Local() != test.source || to.Interface() != test.by {
			t.Errorf("%s: from %v by %d to %v", test.name, to.Local(), to.Interface(), to.Remote())
		}
		if to := none.to(o); to.Remote() != from || to.Local() != test.local || to.Interface() != 0 {
			t.Errorf("%s, without uplinks: from %v by %d to %v", test.name, to.Local(), to.Interface(), to.Remote())
		}
	}
}

// destinations notes where datagrams go.
type destinations struct {
	messageSender
	seen []*udp.Destination
}

func (d *destinations) plain(_ []byte, to *udp.Destination) error {
	d.seen = append(d.seen, to)
	return nil
}

// TestProofsAreAskedForByTheUplink: the opener's cookie reply and the control
// goroutine's challenge of a clock, by an end with two uplinks. It follows the host when
// that loses one.
func TestProofsAreAskedForByTheUplink(t *testing.T) {
	network := &waysHost{testHost: testHost{1500}, uplinks: []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.1")}}
	v := newWire().newVirtual(t, "198.51.100.1:4500", crypto.PrivateKey{1}, conf.Tunnel{Uplinks: []string{"wan1", "wan2"}}, conf.Peer{PublicKey: conf.Key{9}})
	v.controller.host.network = network
	sent := new(destinations)
	v.opener.sender, v.messenger.sender = sent, sent
	o := origin{from: netip.MustParseAddrPort("192.0.2.2:4500"), local: network.uplinks[1], index: 2}
	ask := func() {
		t.Helper()
		sent.seen = nil
		v.opener.askForProof(call{initiationTo(t, v, crypto.PrivateKey{2}), o, time.Now()}, time.Now())
		v.carryOut(outcome{datagram: esp.AppendMarker(nil), to: o.from, err: errChallengeWanted}, o, time.Now())
	}
	wants := func(what string, index int) {
		t.Helper()
		if len(sent.seen) != 2 || slices.ContainsFunc(sent.seen, func(d *udp.Destination) bool {
			return d.Remote() != o.from || d.Local() != o.local || d.Interface() != index
		}) {
			t.Errorf("%s: %d messages, not all by %d: %+v", what, len(sent.seen), index, sent.seen)
		}
	}
	v.begin(time.Now())
	ask()
	wants("both", 2)
	network.lose(2, v.changes)
	v.hostChanged(v.changes.Take(), time.Now())
	ask()
	wants("the second is gone", 0)
}
