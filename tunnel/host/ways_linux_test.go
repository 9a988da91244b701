package host

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// wan is an uplink with its default routes in the main table.
type wan struct {
	name      string
	addresses []string
	metric    int
}

// twoWans gives the host the uplinks wan1, which has the better default routes, and
// wan2 of 1400 bytes, and the tunnel's device.
func twoWans(t *testing.T) *Link {
	t.Helper()
	for i, w := range []wan{
		{"wan1", []string{"192.0.2.1/24", "2001:db8:1::1/64"}, 100},
		{"wan2", []string{"198.51.100.1/24", "198.51.100.2/24", "2001:db8:2::1/64", "2001:db8:2::2/64"}, 200},
	} {
		addDevice(t, w.name)
		attach(t, w.name+"-far", Config{MTU: 1500 - 100*i})
		l := attach(t, w.name, Config{Addresses: netlab.Prefixes(w.addresses...), MTU: 1500 - 100*i})
		for _, prefix := range netlab.Prefixes("0.0.0.0/0", "::/0") {
			check(t, netlink.RouteAdd(&netlink.Route{LinkIndex: l.link.Attrs().Index, Dst: ipNet(prefix), Priority: w.metric, Scope: netlink.SCOPE_LINK}))
		}
		awaitLocal(t, l, w.addresses...)
	}
	addDevice(t, "fathom0")
	return attach(t, "fathom0", Config{MTU: 1400, Addresses: netlab.Prefixes("10.9.0.1/24", "fd09::1/64")})
}

// awaitLocal waits for the kernel, which takes its time with the route to an IPv6
// address of its own.
func awaitLocal(t *testing.T, l *Link, addresses ...string) {
	t.Helper()
	for _, prefix := range netlab.Prefixes(addresses...) {
		for end := time.Now().Add(20 * time.Second); !l.isLocal(prefix.Addr()); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the host does not get %s", prefix)
			}
		}
	}
}

// waysOf asks again and describes the answers: the uplink, the local address, in
// brackets if the kernel chooses it, and the remote one.
func waysOf(l *Link, listen string, uplinks []string, remotes ...string) (list []string) {
	l.Forget()
	at := netip.AddrPortFrom(netip.Addr{}, 4500)
	if listen != "" {
		at = netip.AddrPortFrom(netip.MustParseAddr(listen), 4500)
	}
	var to []netip.AddrPort
	for _, r := range remotes {
		to = append(to, netip.AddrPortFrom(netip.MustParseAddr(r), 4500))
	}
	for _, w := range l.Ways(at, uplinks, to) {
		local := w.Local.String()
		if !w.Source.IsValid() {
			local = "(" + local + ")"
		}
		list = append(list, fmt.Sprintf("%s %s %s %d", w.Uplink, local, w.Remote.Addr(), w.MTU))
	}
	return list
}

func wantWays(t *testing.T, of string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", of, got, want)
	}
}

// TestWays by two uplinks to places of both families.
func TestWays(t *testing.T) {
	inHost(t, func() error {
		l := twoWans(t)
		both := []string{"wan2", "wan1"}
		const far4, far6 = "203.0.113.7", "2001:db8:f::7"
		wantWays(t, "the kernel's choice", waysOf(l, "", nil, far6, far4, "10.9.0.7"),
			" (2001:db8:1::1) 2001:db8:f::7 1500", " (192.0.2.1) 203.0.113.7 1500")
		// The kernel leaves wan2's IPv6 addresses by wan1 if they are named.
		chosen, err := l.lookUp(Flow{Remote: netip.MustParseAddrPort("[2001:db8:f::7]:4500"), Interface: state(t, "wan2").Attrs().Index}, 0)
		check(t, err)
		second := chosen.source.String()
		wantWays(t, "two uplinks", waysOf(l, "", both, far6, far4),
			"wan2 ("+second+") 2001:db8:f::7 1400", "wan2 198.51.100.1 203.0.113.7 1400", "wan2 198.51.100.2 203.0.113.7 1400",
			"wan1 2001:db8:1::1 2001:db8:f::7 1500", "wan1 192.0.2.1 203.0.113.7 1500")
		wantWays(t, "one address to listen on", waysOf(l, "198.51.100.2", both, far6, far4), "wan2 198.51.100.2 203.0.113.7 1400")
		wantWays(t, "an IPv6 address to listen on, of the worse route", waysOf(l, "2001:db8:2::1", both, far6, far4))
		wantWays(t, "the device itself, and nothing", waysOf(l, "", []string{"fathom0", "wan9"}, far4, "10.9.0.7"))
		wantWays(t, "a place of the host's own", waysOf(l, "", both, "192.0.2.1", "127.0.0.1", "2001:db8:1::1"))

		// With a rule for the addresses the kernel keeps to wan2, and all of them serve.
		rule := netlink.NewRule()
		rule.Family, rule.Priority, rule.Table, rule.Src = unix.AF_INET6, 100, 52, ipNet(netip.MustParsePrefix("2001:db8:2::/64"))
		check(t, netlink.RuleAdd(rule))
		index := state(t, "wan2").Attrs().Index
		check(t, netlink.RouteAdd(&netlink.Route{LinkIndex: index, Dst: ipNet(netip.MustParsePrefix("::/0")), Table: 52, MTU: 1300}))
		got := waysOf(l, "", both[:1], far6)
		slices.Sort(got)
		wantWays(t, "with a rule", got, "wan2 2001:db8:2::1 2001:db8:f::7 1300", "wan2 2001:db8:2::2 2001:db8:f::7 1300")
		check(t, netlink.RuleDel(rule))

		// No route is no way, though the host has the address.
		for _, prefix := range netlab.Prefixes("0.0.0.0/0", "::/0") {
			check(t, netlink.RouteDel(&netlink.Route{LinkIndex: index, Dst: ipNet(prefix), Priority: 200, Scope: netlink.SCOPE_LINK}))
		}
		wantWays(t, "no route", waysOf(l, "", both[:1], far6, far4))
		wantWays(t, "a neighbour", waysOf(l, "", both[:1], "198.51.100.7"),
			"wan2 198.51.100.1 198.51.100.7 1400", "wan2 198.51.100.2 198.51.100.7 1400")
		check(t, netlink.RouteAdd(&netlink.Route{LinkIndex: index, Dst: ipNet(netip.MustParsePrefix("203.0.113.0/24")), MTU: 1280, Scope: netlink.SCOPE_LINK}))
		wantWays(t, "a route of its own, without a gateway", waysOf(l, "", both[:1], far4, "203.0.114.1"),
			"wan2 198.51.100.1 203.0.113.7 1280", "wan2 198.51.100.2 203.0.113.7 1280")
		check(t, netlink.RouteAdd(&netlink.Route{Type: unix.RTN_UNREACHABLE, Dst: ipNet(netip.MustParsePrefix("203.0.113.7/32"))}))
		wantWays(t, "refused", waysOf(l, "", both[:1], far4))
		return nil
	})
}

// TestWaysFollowTheUplink: as it comes, gets an address, loses its carrier, goes down
// and goes.
func TestWaysFollowTheUplink(t *testing.T) {
	inHost(t, func() error {
		l := twoWans(t)
		const far4, far6 = "203.0.113.7", "2001:db8:f::7"
		ways := func(remotes ...string) []string { return waysOf(l, "", []string{"wwan0"}, remotes...) }
		wantWays(t, "it does not exist", ways(far4, far6))
		addDevice(t, "wwan0")
		wantWays(t, "it is down", ways(far4, far6))
		check(t, netlink.LinkSetUp(state(t, "wwan0")))
		check(t, netlink.LinkSetUp(state(t, "wwan0-far")))
		link := state(t, "wwan0")
		add := func(prefix string, change func(*netlink.Addr)) {
			t.Helper()
			a := &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix(prefix))}
			if change != nil {
				change(a)
			}
			check(t, netlink.AddrAdd(link, a))
		}
		// Point to point, without a gateway.
		add("100.64.0.1/32", func(a *netlink.Addr) { a.Peer = ipNet(netip.MustParsePrefix("100.64.0.2/32")) })
		check(t, netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(netip.MustParsePrefix("0.0.0.0/0")), Priority: 300, Scope: netlink.SCOPE_LINK}))
		wantWays(t, "point to point", ways(far4, far6), "wwan0 100.64.0.1 203.0.113.7 1500")

		for _, of := range []struct {
			prefix string
			flags  int
		}{{"2001:db8:3::1/64", unix.IFA_F_NODAD}, {"2001:db8:3::2/64", unix.IFA_F_NODAD}, {"fd33::1/64", unix.IFA_F_NODAD}} {
			add(of.prefix, func(a *netlink.Addr) { a.Flags = of.flags })
		}
		// Equal to the best: the interface decides, and each address may be named.
		check(t, netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(netip.MustParsePrefix("2001:db8:f::/48"))}))
		awaitLocal(t, l, "2001:db8:3::1/64", "2001:db8:3::2/64")
		got := ways(far6)
		slices.Sort(got)
		wantWays(t, "IPv6", got, "wwan0 2001:db8:3::1 2001:db8:f::7 1500", "wwan0 2001:db8:3::2 2001:db8:f::7 1500")
		check(t, netlink.AddrReplace(link, &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix("2001:db8:3::2/64")), Flags: unix.IFA_F_NODAD, PreferedLft: 0, ValidLft: 1000}))
		wantWays(t, "deprecated", ways(far6), "wwan0 2001:db8:3::1 2001:db8:f::7 1500")

		up := func() bool { l.Forget(); return l.uplinkState("wwan0").carries }
		await := func(want bool) {
			t.Helper()
			for end := time.Now().Add(20 * time.Second); up() != want; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("carries: %v", !want)
				}
			}
		}
		check(t, netlink.LinkSetDown(state(t, "wwan0-far"))) // no carrier: lowerLayerDown
		await(false)
		wantWays(t, "no carrier", ways(far4, far6))
		check(t, netlink.LinkSetUp(state(t, "wwan0-far")))
		await(true)
		if len(ways(far4)) != 1 {
			t.Error("the carrier is back, and no way")
		}
		check(t, netlink.LinkDel(link))
		wantWays(t, "it is gone", ways(far4, far6))
		return nil
	})
}

// TestWaysAreAskedForOnce until Forget, and not without bounds.
func TestWaysAreAskedForOnce(t *testing.T) {
	inHost(t, func() error {
		l := twoWans(t)
		listen, both := netip.AddrPortFrom(netip.Addr{}, 4500), []string{"wan1", "wan2"}
		var places []netip.AddrPort
		for i := range 40 {
			places = append(places, netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 4500))
		}
		ways := l.Ways(listen, both, places)
		if len(ways) != MaxWays || ways[0].Uplink != "wan1" || ways[MaxWays-1].Uplink != "wan2" {
			t.Errorf("%d ways: %v", len(ways), ways)
		}
		if n := len(l.learnt.ways); n != MaxWays {
			t.Errorf("%d look-ups are kept", n)
		}
		check(t, netlink.LinkDel(state(t, "wan2")))
		if again := l.Ways(listen, both, places); !slices.Equal(again, ways) {
			t.Errorf("asked again: %v", again)
		}
		l.Forget()
		if again := l.Ways(listen, both, places); slices.ContainsFunc(again, func(w Way) bool { return w.Uplink != "wan1" }) || len(again) != MaxWays {
			t.Errorf("after Forget: %v", again)
		}
		for i := range 2 * maxWaysKept {
			l.learnt.keep(wayKey{remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), uint16(i))}, nil)
			if len(l.learnt.ways) > maxWaysKept {
				t.Fatalf("%d are kept", len(l.learnt.ways))
			}
		}
		return nil
	})
}

// TestEgressByAnInterface: only where the tables hold a route by it, and where
// datagrams leave by it.
func TestEgressByAnInterface(t *testing.T) {
	inHost(t, func() error {
		l := twoWans(t)
		index := func(name string) int { return state(t, name).Attrs().Index }
		for _, test := range []struct {
			to, local, by string
			mtu           int // 0: no way
		}{
			{"203.0.113.7", "", "wan1", 1500},
			{"203.0.113.7", "", "wan2", 1400},
			{"203.0.113.7", "198.51.100.1", "wan2", 1400},
			{"203.0.113.7", "192.0.2.1", "wan2", 1400}, // the kernel minds no foreign address
			{"2001:db8:f::7", "", "wan2", 1400},
			{"2001:db8:f::7", "2001:db8:2::1", "wan2", 0}, // it would leave by wan1
			{"2001:db8:f::7", "2001:db8:1::1", "wan1", 1500},
			{"192.0.2.7", "", "wan1", 1500},
			{"10.9.0.7", "", "fathom0", 0},
			{"203.0.113.7", "", "lo", 0},
			{"2001:db8:f::7", "", "lo", 0},
			{"fe80::7%wan2", "", "wan2", 1400},
			{"fe80::7%wan2", "", "wan1", 0},
		} {
			flow := Flow{Remote: netip.AddrPortFrom(netip.MustParseAddr(test.to), 4500), Interface: index(test.by)}
			if test.local != "" {
				flow.Local = netip.AddrPortFrom(netip.MustParseAddr(test.local), 4500)
			}
			e, err := l.Egress(flow)
			if e.MTU != test.mtu || (err == nil) != (test.mtu > 0) || err == nil && e.Interface != flow.Interface {
				t.Errorf("%+v: %+v, %v", test, e, err)
			}
		}
		return nil
	})
}

// TestTheDevicesAddressIsNoWayOut: an uplink without address borrows one of the host's for
// what it sends. That of the tunnel's own device, which nobody beyond the uplink can
// answer, does not do.
func TestTheDevicesAddressIsNoWayOut(t *testing.T) {
	inHost(t, func() error {
		l := twoWans(t)
		if got := waysOf(l, "", nil, "203.0.113.9"); len(got) != 1 {
			t.Fatalf("the ways are %q", got)
		}
		for _, name := range []string{"wan1", "wan2"} {
			link := state(t, name)
			addresses, err := netlink.AddrList(link, unix.AF_INET)
			check(t, err)
			check(t, netlink.AddrDel(link, &addresses[0])) // the others of its prefix go with it
		}
		check(t, netlink.RouteReplace(&netlink.Route{LinkIndex: state(t, "wan1").Attrs().Index, Dst: ipNet(netlab.Prefixes("0.0.0.0/0")[0]), Scope: netlink.SCOPE_LINK}))
		l.Forget()
		route, err := l.lookUp(Flow{Remote: netip.MustParseAddrPort("203.0.113.9:4500")}, 0)
		check(t, err)
		if !l.has(route.source) {
			t.Fatalf("the kernel would send from %v: this shows nothing", route.source)
		}
		if got := waysOf(l, "", nil, "203.0.113.9"); len(got) > 0 {
			t.Errorf("the ways are %q", got)
		}
		return nil
	})
}
