//go:build linux

package test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestTheAddressComesLater: the host gets the address of tunnel.listen after the start,
// loses it, and gets it back, as with DHCP. The status shows that it is not there, the
// log has a line for each change, and the tunnel is up when it is there.
func TestTheAddressComesLater(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	for _, family := range []string{"10.1.0.%d/24", "fd01::%d/64"} {
		ours, theirs := netlab.Prefixes(fmt.Sprintf(family, 1))[0], netlab.Prefixes(fmt.Sprintf(family, 2))[0]
		t.Run(ours.Addr().String(), func(t *testing.T) {
			lab := labtest.New(t)
			link := lab.Connect(lab.Host("a"), lab.Host("b"), linkConfig(nil, netlab.Prefixes(theirs.String())))
			a, b := newGateway(t, link.A.Host(), "10.77.0.1/24"), newGateway(t, link.B.Host(), "10.77.0.2/24")
			listen := netip.AddrPortFrom(ours.Addr(), gateway.Port).String()
			a.Listen = listen
			check(t, a.Configure("", gateway.Peer{Gateway: b, Endpoint: netip.AddrPortFrom(theirs.Addr(), gateway.Port).String()}))
			check(t, b.Configure("", gateway.Peer{Gateway: a}))
			check(t, b.Start())
			check(t, a.Start())
			const rounds = 2
			for range rounds {
				await(t, a, func(s *status.Status) bool { return s.Absent && s.Listen[0] == listen })
				link.A.AddAddress(ours)
				await(t, a, func(s *status.Status) bool { return !s.Absent && s.Up() })
				pinger(t, a.Host, innerB4)
				link.A.RemoveAddress(ours)
			}
			await(t, a, func(s *status.Status) bool { return s.Absent })
			check(t, a.Stop())
			gone, came := strings.Count(a.Log(), "does not have the address"), strings.Count(a.Log(), "has the address of tunnel.listen now")
			if gone != rounds+1 || came != rounds {
				t.Errorf("told %d and %d times:\n%s", gone, came, a.Log())
			}
		})
	}
}
