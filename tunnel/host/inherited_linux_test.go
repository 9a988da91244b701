package host

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// TestDisown: what the process before was configured with goes, what this one wants
// and what others have added stays.
func TestDisown(t *testing.T) {
	inHost(t, func() error {
		addDevice(t, "fathom0")
		attach(t, "fathom0-far", Config{MTU: 1500})
		old := netlab.Prefixes("10.8.0.1/24", "fd08::1/64")
		goes, stays := netlab.Prefixes("10.20.0.0/16", "fd20::/48"), netlab.Prefixes("10.30.0.0/16", "fd30::/48")
		before := attach(t, "fathom0", Config{Addresses: append(slices.Clone(old), addr4, addr6), MTU: 1438})
		for _, prefix := range append(slices.Clone(goes), stays...) {
			check(t, before.Route(Route{Prefix: prefix, MTU: 1400}))
		}
		// Of another program: another protocol, or another metric.
		foreign := netlab.Prefixes("10.40.0.0/16", "fd40::/48")
		for _, prefix := range foreign {
			check(t, netlink.RouteAdd(&netlink.Route{LinkIndex: state(t, "fathom0").Attrs().Index, Dst: ipNet(prefix), Protocol: unix.RTPROT_BOOT}))
		}
		other := netlab.Prefixes("10.50.0.0/16")[0]
		check(t, netlink.RouteAdd(&netlink.Route{LinkIndex: state(t, "fathom0").Attrs().Index, Dst: ipNet(other), Protocol: unix.RTPROT_STATIC, Priority: 77}))

		now := attach(t, "fathom0", Config{Addresses: []netip.Prefix{addr4, addr6}, MTU: 1438})
		for _, prefix := range stays {
			check(t, now.Route(Route{Prefix: prefix, MTU: 1400}))
		}
		for range 2 { // the second time there is nothing to do
			check(t, now.Disown())
			for _, prefix := range goes {
				if list := routesTo(t, prefix); len(list) > 0 {
					t.Errorf("%s: %v", prefix, list)
				}
			}
			for _, prefix := range slices.Concat(stays, foreign, []netip.Prefix{other}) {
				if list := routesTo(t, prefix); len(list) != 1 {
					t.Errorf("%s: %v", prefix, list)
				}
			}
			list, err := netlink.AddrList(state(t, "fathom0"), netlink.FAMILY_ALL)
			check(t, err)
			var found []netip.Prefix
			for _, a := range list {
				prefix, ok := prefixOf(a.IPNet, netlink.FAMILY_ALL)
				if addr, _ := netip.AddrFromSlice(a.IP); ok && !addr.IsLinkLocalUnicast() {
					found = append(found, netip.PrefixFrom(addr.Unmap(), prefix.Bits()))
				}
			}
			slices.SortFunc(found, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
			if want := []netip.Prefix{addr4, addr6}; !slices.Equal(found, want) {
				t.Errorf("addresses %v, want %v", found, want)
			}
		}
		check(t, netlink.LinkDel(state(t, "fathom0")))
		check(t, now.Disown()) // nothing is left of it
		return nil
	})
}

// TestADefaultRouteIsTakenOver with its device: it keeps its table and its rules.
func TestADefaultRouteIsTakenOver(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		before := divert(t, "fathom0", Config{})
		table, rules := before.DefaultTable(), rulesNow(t)
		before.KeepGuards()
		before.Close()
		expectWay(t, "left", "fathom0")
		now := divert(t, "fathom0", Config{})
		defer now.Close()
		if got := now.DefaultTable(); got != table {
			t.Errorf("table %d, before %d", got, table)
		}
		if got := rulesNow(t); !slices.Equal(got, rules) {
			t.Errorf("rules %q, before %q", got, rules)
		}
		expectWay(t, "taken over", "fathom0")
		return nil
	})
}
