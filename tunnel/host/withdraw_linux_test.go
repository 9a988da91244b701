package host

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"

	"fathom/test/netlab"
)

// TestPrefixesComeAndGo gives a Link prefixes after it is complete and takes them back, as a
// reload does. Both lines of guards follow: where a route and its guard are gone, packets are
// refused as long as the prefix is wanted, and no longer. In the end nothing is left.
func TestPrefixesComeAndGo(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		for _, prefix := range netlab.Prefixes("10.0.0.0/8", "fd00::/8") {
			check(t, netlink.RouteAdd(routeBy(t, "wan", prefix)))
		}
		without := routing(t)
		l := lead(t, "fathom0", Config{Addresses: netlab.Prefixes("10.77.0.1/24")}, remote[1])
		before := routing(t)
		network := netlab.Prefixes("10.77.0.0/24")[0]
		more := []netip.Prefix{remote[2], remote[4], network}
		for range 2 {
			for _, prefix := range more {
				check(t, errors.Join(l.Route(Route{Prefix: prefix, AdvMSS: 1000}), l.Guard(prefix)))
			}
			check(t, l.Regroup())
			expectWays(t, "with more", map[string]string{"10.88.2.1": "fathom0", "10.99.3.1": "fathom0", "fd88:0:2::1": "fathom0", "10.77.0.9": "fathom0", "10.88.1.1": "wan"})
			flushMain(t, remote[1], remote[2], remote[4])
			expectWays(t, "all is gone", map[string]string{"10.88.2.1": "", "10.99.3.1": "", "fd88:0:2::1": "", "10.88.1.1": "wan"})
			check(t, errors.Join(netlink.RouteAdd(routeBy(t, "fathom0", remote[1])), netlink.RouteAdd(guardRoute(guardIn(remote[1], mainTable)))))

			for _, prefix := range more { // one that somebody else has removed is no error
				check(t, l.Withdraw(prefix))
			}
			check(t, l.Regroup())
			expectWays(t, "withdrawn", map[string]string{"10.88.2.1": "fathom0", "10.99.3.1": "wan", "fd88:0:2::1": "wan"})
			expectWays(t, "the network of the device's own address", map[string]string{"10.77.0.9": "fathom0"})
			flushMain(t, network)
			connected := routeBy(t, "fathom0", network)
			connected.Protocol, connected.Src = 2, []byte{10, 77, 0, 1} // as the kernel makes it
			check(t, netlink.RouteAdd(connected))
			if after := routing(t); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		}
		check(t, errors.Join(l.Withdraw(remote[1]), l.Regroup()))
		expectWays(t, "none is left", map[string]string{"10.88.2.1": "wan"})
		l.Close()
		check(t, netlink.LinkDel(state(t, "fathom0")))
		upDevice(t, "fathom0")
		if after := routing(t); after != without {
			t.Errorf("without:\n%s\nafter:\n%s", without, after)
		}
		return nil
	})
}
