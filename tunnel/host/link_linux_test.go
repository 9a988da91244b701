package host

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"fathom/test/netlab"
)

// addDevice makes an interface that outlives who attaches to it, as a
// persistent TUN device does.
func addDevice(t *testing.T, name string) netlink.Link {
	t.Helper()
	err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "-far"})
	if err != nil {
		t.Fatal(err)
	}
	return state(t, name)
}

// state returns the interface as it is now.
func state(t *testing.T, name string) netlink.Link {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// attach attaches to a device until the test ends.
func attach(t *testing.T, name string, config Config) *Link {
	t.Helper()
	l, err := Attach(name, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// routesTo returns the routes of the host to exactly a prefix, as "interface
// mtu mss".
func routesTo(t *testing.T, prefix netip.Prefix) (list []string) {
	t.Helper()
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Dst: ipNet(prefix)}, netlink.RT_FILTER_DST)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		link, err := netlink.LinkByIndex(r.LinkIndex)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprint(link.Attrs().Name, " ", r.MTU, " ", r.AdvMSS))
	}
	return list
}

// TestAttach to a device that still has what the last one has given it.
func TestAttach(t *testing.T) {
	inHost(t, func() error {
		addDevice(t, "fathom0")
		addresses := netlab.Prefixes("10.9.0.1/24", "fd09::1/64")
		for range 2 {
			l := attach(t, "fathom0", Config{Addresses: addresses, MTU: 1438, GSOMaxSize: 60000})
			got := state(t, "fathom0").Attrs()
			if got.MTU != 1438 || got.GSOMaxSize != 60000 || got.Flags&net.FlagUp == 0 {
				t.Errorf("MTU %d, GSO up to %d bytes, %v", got.MTU, got.GSOMaxSize, got.Flags)
			}
			for _, prefix := range addresses {
				addr := &netlink.Addr{IPNet: ipNet(prefix)}
				list, err := netlink.AddrList(l.link, netlink.FAMILY_ALL)
				if err != nil {
					return err
				}
				n := 0
				for _, a := range list {
					if a.Equal(*addr) {
						n++
					}
				}
				if n != 1 {
					t.Errorf("%d times %s among %v", n, prefix, list)
				}
			}
			if err := l.SetMTU(1280); err != nil {
				t.Error(err)
			}
			if mtu := state(t, "fathom0").Attrs().MTU; mtu != 1280 {
				t.Errorf("MTU %d", mtu)
			}
		}
		if _, err := Attach("fathom1", Config{}); err == nil || !strings.Contains(err.Error(), "fathom1") {
			t.Errorf("error %v of a device that does not exist", err)
		}
		return nil
	})
}

// TestRoute leads prefixes into the device, but takes none from another
// interface.
func TestRoute(t *testing.T) {
	inHost(t, func() error {
		addDevice(t, "fathom0")
		others := netlab.Prefixes("192.0.2.0/24", "2001:db8::/64")
		other := attach(t, "fathom0-far", Config{MTU: 1500})
		for _, prefix := range others {
			if err := netlink.RouteAdd(&netlink.Route{LinkIndex: other.link.Attrs().Index, Dst: ipNet(prefix)}); err != nil {
				return err
			}
		}
		l := attach(t, "fathom0", Config{Addresses: netlab.Prefixes("10.9.0.1/24", "fd09::1/64"), MTU: 1438})
		for _, prefix := range netlab.Prefixes(
			"10.9.0.0/24", "fd09::/64", // the kernel has added them for the addresses
			"10.77.0.0/16", "fd77::/48",
		) {
			for _, r := range []Route{{MTU: 1438}, {MTU: 1300}, {MTU: 1300}, {AdvMSS: 1300}, {MTU: 1400, AdvMSS: 1360}, {}} {
				r.Prefix = prefix
				if err := l.Route(r); err != nil {
					t.Errorf("%s: %v", prefix, err)
				}
				if got, want := routesTo(t, prefix), fmt.Sprint("fathom0 ", r.MTU, " ", r.AdvMSS); !slices.Contains(got, want) {
					t.Errorf("%s: %v, want %s", prefix, got, want)
				}
			}
		}
		for _, prefix := range others {
			if err := l.Route(Route{Prefix: prefix, MTU: 1438}); err == nil || !strings.Contains(err.Error(), "another interface") {
				t.Errorf("%s: error %v", prefix, err)
			}
			if got := routesTo(t, prefix); len(got) != 1 || !strings.HasPrefix(got[0], "fathom0-far ") {
				t.Errorf("%s: %v", prefix, got)
			}
		}
		return nil
	})
}

// TestLargestMTU leaves out the device itself, loopback, and interfaces that are down.
func TestLargestMTU(t *testing.T) {
	inHost(t, func() error {
		addDevice(t, "fathom0")
		l := attach(t, "fathom0", Config{MTU: 9000})
		if err := netlink.LinkSetUp(loopback(t)); err != nil {
			return err
		}
		addDevice(t, "lan")
		lan := attach(t, "lan", Config{MTU: 1600})
		for _, step := range []struct {
			change func() error
			want   int
		}{
			{func() error { return nil }, 1600},
			{func() error { return lan.SetMTU(4000) }, 4000},
			{func() error { return netlink.LinkSetDown(lan.link) }, 0},
		} {
			if err := step.change(); err != nil {
				return err
			}
			if got, err := l.LargestMTU(); got != step.want || err != nil {
				t.Errorf("%d, %v; want %d", got, err, step.want)
			}
		}
		return nil
	})
}
