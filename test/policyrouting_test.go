//go:build linux

package test

import (
	"fmt"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestRoamingUnderRulesOfTheOperator: the operator has led everything into the tunnel by
// a rule that only leaves out the tunnel's own packets, which the kernel knows by their
// protocol and port or by their mark. The peer gets another address, of which the rules
// say nothing, and is followed.
func TestRoamingUnderRulesOfTheOperator(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	for _, test := range []struct {
		name, tunnel string
		rule         []string
	}{
		{"protocol and port", "routes = false", []string{"not", "ipproto", "udp", "sport", fmt.Sprint(gateway.Port)}},
		{"mark", "routes = false\nfwmark = 0x77", []string{"not", "fwmark", "0x77"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, overIPv4, "")
			check(t, p.a.Configure(test.tunnel, gateway.Peer{Gateway: p.b, Endpoint: p.endpoint(p.Right.B, overIPv4), Routed: []string{"0.0.0.0/0"}}))
			up(t, p.b, p.a)
			ip := func(args ...string) { run(t, p.A, "ip", args...) }
			ip("route", "add", "default", "dev", "fathom0", "table", "51")
			ip(append([]string{"rule", "add", "pref", "100", "table", "51"}, test.rule...)...)
			ip("rule", "add", "pref", "99", "lookup", "main", "suppress_prefixlength", "0")
			if s := startStream(t, p.A, p.B, innerB4, 1000, 5*time.Millisecond).reach(20).stop(); s.lost > 0 {
				t.Errorf("before the move: %v", s)
			}

			there := netlab.Prefixes("10.2.0.7/24")
			p.Right.B.RemoveAddress(netlab.Prefixes("10.2.0.2/24")...)
			p.Right.B.AddAddress(there...)
			p.B.DefaultVia(p.Right.A.Addrs()...)
			await(t, p.a, func(s *status.Status) bool {
				return s.Peers[0].Endpoint == fmt.Sprintf("%s:%d", there[0].Addr(), gateway.Port)
			})
			if s := startStream(t, p.A, p.B, innerB4, 1000, 5*time.Millisecond).reach(20).stop(); s.lost > 0 {
				t.Errorf("after the move: %v", s)
			}
		})
	}
}

// TestUplinksBySourceRules: the main table knows nothing of the second uplink; a rule
// for its address leads to it. It is used all the same, by the end that decides, and
// carries the data when the first falls silent.
func TestUplinksBySourceRules(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	w := newDualWAN(t, failoverTrip)
	second := w.wans[1]
	run(t, w.A, "ip", "route", "add", "default", "via", second.B.Addr4().String(), "dev", second.A.Name(), "table", "52")
	run(t, w.A, "ip", "rule", "add", "from", second.A.Addr4().String(), "table", "52")
	uplinks := fmt.Sprintf("uplinks = [%q, %q]", w.wans[0].A.Name(), second.A.Name())
	check(t, w.a.Configure(uplinks, gateway.Peer{Gateway: w.b, Endpoint: w.there()}))
	check(t, w.b.Configure("", gateway.Peer{Gateway: w.a}))
	up(t, w.b, w.a)
	await(t, w.a, func(s *status.Status) bool {
		for _, p := range s.Peers[0].Paths {
			if p.Interface == second.A.Name() && p.Local == second.A.Addr4().String() && p.State == status.PathProved {
				return true
			}
		}
		return false
	})
	flow := startStream(t, w.A, w.B, innerB4, 1000, 5*time.Millisecond)
	w.silence(0, netlab.AtoB, netlab.BtoA)
	await(t, w.b, func(s *status.Status) bool { return s.Peers[0].Endpoint == w.at(1) })
	before := flow.arrived.Load()
	eventually(t, "data arrives by the second uplink", func() bool { return flow.arrived.Load() > before+20 })
	flow.stop()
}
