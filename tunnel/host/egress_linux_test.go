package host

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// uplinks gives the host two ways out and the tunnel's device: "wan1" of 1500
// bytes, which has the default routes, "wan2" of 1400, which table 52 leads to,
// and "fathom0", which table 51 leads to.
func uplinks(t *testing.T, config Config) *Link {
	t.Helper()
	for _, up := range []struct {
		name, far string
		mtu       int
		addresses []netip.Prefix
		table     int
	}{
		{"wan1", "wan1-far", 1500, netlab.Prefixes("192.0.2.1/24", "2001:db8::1/64"), unix.RT_TABLE_MAIN},
		{"wan2", "wan2-far", 1400, netlab.Prefixes("198.51.100.1/24", "2001:db8:2::1/64"), 52},
		{"fathom0", "fathom0-far", 1438, netlab.Prefixes("10.9.0.1/24", "fd09::1/64"), 51},
	} {
		addDevice(t, up.name)
		attach(t, up.far, Config{MTU: up.mtu})
		l := attach(t, up.name, Config{Addresses: up.addresses, MTU: up.mtu, Mark: config.Mark})
		for _, prefix := range netlab.Prefixes("0.0.0.0/0", "::/0") {
			check(t, netlink.RouteAdd(&netlink.Route{LinkIndex: l.link.Attrs().Index, Dst: ipNet(prefix), Table: up.table}))
		}
		for _, prefix := range up.addresses {
			// The kernel takes its time with the route to an IPv6 address of its own.
			for end := time.Now().Add(20 * time.Second); !l.isLocal(prefix.Addr()) && time.Now().Before(end); time.Sleep(time.Millisecond) {
			}
		}
		if up.name == "fathom0" {
			return l
		}
	}
	return nil
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestEgress asks for the ways to endpoints by the host's routes.
func TestEgress(t *testing.T) {
	inHost(t, func() error {
		l := uplinks(t, Config{})
		wan1, wan2 := state(t, "wan1").Attrs().Index, state(t, "wan2").Attrs().Index
		for _, route := range []netlink.Route{
			{LinkIndex: wan1, Dst: ipNet(netip.MustParsePrefix("198.18.0.0/24")), MTU: 1300},
			{LinkIndex: wan1, Dst: ipNet(netip.MustParsePrefix("2001:db8:77::/48")), MTU: 1300},
			{MultiPath: []*netlink.NexthopInfo{{LinkIndex: wan2}, {LinkIndex: wan2}}, Dst: ipNet(netip.MustParsePrefix("198.18.1.0/24"))},
			{Type: unix.RTN_UNREACHABLE, Dst: ipNet(netip.MustParsePrefix("198.18.2.0/24"))},
			{Type: unix.RTN_UNREACHABLE, Dst: ipNet(netip.MustParsePrefix("2001:db8:78::/48"))},
			{Type: unix.RTN_PROHIBIT, Dst: ipNet(netip.MustParsePrefix("2001:db8:79::/48"))},
		} {
			check(t, netlink.RouteAdd(&route))
		}
		for _, test := range []struct {
			to  string
			mtu int
			err error
		}{
			{"203.0.113.7", 1500, nil},   // of the interface
			{"2001:db8:7::7", 1500, nil}, // likewise
			{"198.18.0.7", 1300, nil},    // of the route
			{"2001:db8:77::7", 1300, nil},
			{"198.18.1.7", 1400, nil},    // by one of two next hops
			{"127.0.0.1", 65535, nil},    // no IP packet is larger
			{"198.51.100.1", 65535, nil}, // an address of the host, by the loopback interface
			{"fe80::7%wan2", 1400, nil},  // by the zone
			{"10.9.0.2", 0, ErrLoop},
			{"fd09::2", 0, ErrLoop},
			{"198.18.2.7", 0, unix.EHOSTUNREACH},
			{"2001:db8:78::7", 0, unix.EHOSTUNREACH},
			{"2001:db8:79::7", 0, unix.EACCES},
		} {
			e, err := l.Egress(Flow{Remote: netip.AddrPortFrom(netip.MustParseAddr(test.to), 4500)})
			if e.MTU != test.mtu || !errors.Is(err, test.err) {
				t.Errorf("%s: %+v, %v", test.to, e, err)
			}
		}
		return nil
	})
}

// TestEgressByRules asks for the ways of flows that rules tell apart.
func TestEgressByRules(t *testing.T) {
	const port = 4500
	for name, test := range map[string]struct {
		mark  uint32
		rule  func(*netlink.Rule)
		local [2]string // of both families; none: the kernel chooses
		mtu   int
		err   error
	}{
		"all but our port enters the tunnel": {mtu: 1500, rule: func(r *netlink.Rule) {
			r.Invert, r.IPProto, r.Sport, r.Table = true, unix.IPPROTO_UDP, netlink.NewRulePortRange(port, port), 51
		}},
		"another port alone leaves by the uplink": {err: ErrLoop, rule: func(r *netlink.Rule) {
			r.Invert, r.IPProto, r.Sport, r.Table = true, unix.IPPROTO_UDP, netlink.NewRulePortRange(port+1, port+1), 51
		}},
		"UDP enters the tunnel": {err: ErrLoop, rule: func(r *netlink.Rule) {
			r.IPProto, r.Table = unix.IPPROTO_UDP, 51
		}},
		"the peer's port leaves by the second uplink": {mtu: 1400, rule: func(r *netlink.Rule) {
			r.IPProto, r.Dport, r.Table = unix.IPPROTO_UDP, netlink.NewRulePortRange(7, 7), 52
		}},
		"all but our mark enters the tunnel": {mark: 0x77, mtu: 1500, rule: func(r *netlink.Rule) {
			r.Invert, r.Mark, r.Table = true, 0x77, 51
		}},
		"another mark alone leaves by the uplink": {mark: 0x78, err: ErrLoop, rule: func(r *netlink.Rule) {
			r.Invert, r.Mark, r.Table = true, 0x77, 51
		}},
		"our address leaves by the second uplink": {local: [2]string{"198.51.100.1", "2001:db8:2::1"}, mtu: 1400, rule: fromSecond},
		"an address of the first uplink":          {local: [2]string{"192.0.2.1", "2001:db8::1"}, mtu: 1500, rule: fromSecond},
		"an address that the host has lost":       {local: [2]string{"198.51.100.2", "2001:db8:2::2"}, mtu: 1500, rule: fromSecond},
		"no address":                              {mtu: 1500, rule: fromSecond},
	} {
		t.Run(name, func(t *testing.T) {
			inHost(t, func() error {
				l := uplinks(t, Config{Mark: test.mark})
				for i, family := range []int{unix.AF_INET, unix.AF_INET6} {
					r := netlink.NewRule()
					r.Family, r.Priority = family, 100
					test.rule(r)
					check(t, netlink.RuleAdd(r))
					to := []string{"203.0.113.7", "2001:db8:7::7"}[i]
					flow := Flow{Remote: netip.AddrPortFrom(netip.MustParseAddr(to), 7), Local: netip.AddrPortFrom(netip.Addr{}, port)}
					if test.local[i] != "" {
						flow.Local = netip.AddrPortFrom(netip.MustParseAddr(test.local[i]), port)
					}
					e, err := l.Egress(flow)
					if e.MTU != test.mtu || !errors.Is(err, test.err) {
						t.Errorf("%s: %+v, %v", to, e, err)
					}
				}
				return nil
			})
		})
	}
}

// fromSecond is a rule for the second uplink's network of the rule's family.
func fromSecond(r *netlink.Rule) {
	prefix := netip.MustParsePrefix("198.51.100.0/24")
	if r.Family == unix.AF_INET6 {
		prefix = netip.MustParsePrefix("2001:db8:2::/64")
	}
	r.Src, r.Table = ipNet(prefix), 52
}

// TestEgressOfMany: what the ways to many have in common is asked for once, and
// again after Forget.
func TestEgressOfMany(t *testing.T) {
	inHost(t, func() error {
		l := uplinks(t, Config{})
		local := netip.MustParseAddrPort("192.0.2.1:4500")
		mtu := func() int {
			e, err := l.Egress(Flow{Remote: netip.MustParseAddrPort("203.0.113.1:4500"), Local: local})
			check(t, err)
			return e.MTU
		}
		if got := mtu(); got != 1500 {
			t.Fatalf("MTU %d", got)
		}
		check(t, netlink.LinkSetMTU(state(t, "wan1"), 1300))
		if got := mtu(); got != 1500 {
			t.Errorf("the interface is asked again: %d", got)
		}
		l.Forget()
		if got := mtu(); got != 1300 {
			t.Errorf("MTU %d after Forget", got)
		}
		if len(l.learnt.local) != 1 || len(l.learnt.devices) != 1 {
			t.Errorf("has learnt %v", l.learnt)
		}
		return nil
	})
}
