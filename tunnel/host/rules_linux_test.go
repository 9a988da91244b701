package host

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

var (
	everything = netlab.Prefixes("0.0.0.0/0", "::/0")
	listening  = []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:4500"), netip.MustParseAddrPort("[::]:4500")}
)

// routing is all that a host's routing goes by: rules, the routes of its tables and
// a sysctl.
func routing(t *testing.T) string {
	t.Helper()
	list := rulesNow(t)
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	check(t, err)
	for _, r := range routes {
		// The kernel adds those of an interface's own IPv6 addresses in its time.
		if r.Table != unix.RT_TABLE_LOCAL && !r.Dst.IP.IsLinkLocalUnicast() {
			list = append(list, r.String())
		}
	}
	value, err := os.ReadFile(validMark)
	check(t, err)
	return strings.Join(append(list, string(value)), "\n")
}

// rulesNow returns the rules of the host but the kernel's own.
func rulesNow(t *testing.T) (list []string) {
	t.Helper()
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		rules, err := netlink.RuleList(family)
		check(t, err)
		for _, r := range rules {
			if r.Protocol == unix.RTPROT_KERNEL {
				continue
			}
			text := fmt.Sprintf("%d: ", r.Priority)
			if r.Invert {
				text += "not "
			}
			if r.Src != nil {
				text += fmt.Sprintf("from %s ", r.Src)
			}
			if r.Dst != nil {
				text += fmt.Sprintf("to %s ", r.Dst)
			}
			if r.IifName != "" {
				text += fmt.Sprintf("iif %s ", r.IifName)
			}
			if r.Sport != nil {
				text += fmt.Sprintf("proto %d sport %d ", r.IPProto, r.Sport.Start)
			}
			if r.Mark != 0 {
				text += fmt.Sprintf("mark %d ", r.Mark)
			}
			text += fmt.Sprintf("table %d", r.Table)
			if r.SuppressPrefixlen >= 0 {
				text += fmt.Sprintf(" suppress %d", r.SuppressPrefixlen)
			}
			list = append(list, text)
		}
	}
	return list
}

// divert leads everything into a device that there is.
func divert(t *testing.T, name string, config Config) *Link {
	t.Helper()
	config.MTU, config.Defaults = 1438, everything
	l, err := Attach(name, config)
	check(t, err)
	for _, prefix := range everything {
		check(t, l.Route(Route{Prefix: prefix, MTU: 1438}))
		check(t, l.Guard(prefix))
	}
	check(t, l.Divert(listening))
	return l
}

// uplink gives the host a way out, with a default route, and a device.
func uplink(t *testing.T) {
	t.Helper()
	addDevice(t, "wan")
	attach(t, "wan-far", Config{MTU: 1500})
	l := attach(t, "wan", Config{Addresses: netlab.Prefixes("192.0.2.1/24", "2001:db8::1/64"), MTU: 1500})
	for _, prefix := range everything {
		check(t, netlink.RouteAdd(&netlink.Route{LinkIndex: l.link.Attrs().Index, Dst: ipNet(prefix)}))
	}
	upDevice(t, "fathom0")
}

// upDevice makes a device that is up at both ends.
func upDevice(t *testing.T, name string) {
	t.Helper()
	addDevice(t, name)
	attach(t, name+"-far", Config{MTU: 1500})
	check(t, netlink.LinkSetUp(state(t, name)))
}

// TestDivert leads everything into the device but our own packets and those for
// which there is a better route, and gives all of it back.
func TestDivert(t *testing.T) {
	for name, test := range map[string]struct {
		config Config
		before func(*netlink.Rule) // a rule of the administrator's
		listen []netip.AddrPort
		want   []string
	}{
		"by itself": {listen: listening, want: []string{
			"32760: iif fathom0 table 0", "32761: proto 17 sport 4500 table 0", "32762: iif lo proto 17 sport 4500 table 254",
			"32763: table 254 suppress 0", "32764: not mark 4500 table 4500", "32765: not mark 4500 table 0",
			"32762: iif fathom0 table 0", "32763: table 254 suppress 0", "32764: not mark 4500 table 4500", "32765: not mark 4500 table 0",
		}},
		"with a mark": {listen: listening, config: Config{Mark: 77}, want: []string{
			"32760: iif fathom0 table 0", "32761: proto 17 sport 4500 table 0", "32762: iif lo proto 17 sport 4500 table 254",
			"32763: table 254 suppress 0", "32764: not mark 77 table 77", "32765: not mark 77 table 0",
			"32762: iif fathom0 table 0", "32763: table 254 suppress 0", "32764: not mark 77 table 77", "32765: not mark 77 table 0",
		}},
		"on one address": {listen: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:4501")}, want: []string{
			"32760: iif fathom0 table 0", "32761: from 192.0.2.1/32 proto 17 sport 4501 table 0", "32762: from 192.0.2.1/32 iif lo proto 17 sport 4501 table 254",
			"32763: table 254 suppress 0", "32764: not mark 4500 table 4500", "32765: not mark 4500 table 0",
			"32762: iif fathom0 table 0", "32763: table 254 suppress 0", "32764: not mark 4500 table 4500", "32765: not mark 4500 table 0",
		}},
		"beside a rule that has the table": {
			listen: listening,
			before: func(r *netlink.Rule) { r.Priority, r.Table, r.Mark = 32764, 4500, 4501 },
			want: []string{
				"32758: iif fathom0 table 0", "32759: proto 17 sport 4500 table 0", "32760: iif lo proto 17 sport 4500 table 254",
				"32761: table 254 suppress 0", "32762: not mark 4500 table 4501", "32763: not mark 4500 table 0", "32764: mark 4501 table 4500",
				"32762: iif fathom0 table 0", "32763: table 254 suppress 0", "32764: not mark 4500 table 4501", "32765: not mark 4500 table 0",
			}},
	} {
		t.Run(name, func(t *testing.T) {
			inHost(t, func() error {
				uplink(t)
				if test.before != nil {
					r := netlink.NewRule()
					r.Family = unix.AF_INET
					test.before(r)
					check(t, netlink.RuleAdd(r))
				}
				before := routing(t)
				test.config.MTU, test.config.Defaults = 1438, everything
				l, err := Attach("fathom0", test.config)
				check(t, err)
				for _, prefix := range everything {
					check(t, l.Route(Route{Prefix: prefix, MTU: 1438}))
				}
				check(t, l.Divert(test.listen))
				if got := rulesNow(t); !slices.Equal(got, test.want) {
					t.Errorf("rules %q", got)
				}
				ways(t, l)
				l.Close()
				check(t, netlink.LinkSetMTU(state(t, "fathom0"), 1500))
				if after := routing(t); after != before {
					t.Errorf("before:\n%s\nafter:\n%s", before, after)
				}
				return nil
			})
		})
	}
}

// ways looks up where packets go: ours, those of others, and those to a neighbour.
func ways(t *testing.T, l *Link) {
	t.Helper()
	wan, device, mark := state(t, "wan").Attrs().Index, state(t, "fathom0").Attrs().Index, l.mark
	defer func() { l.mark = mark }()
	for _, test := range []struct {
		to   string
		mark uint32
		want int
	}{
		{"203.0.113.7", mark, wan}, {"2001:db8:7::7", mark, wan},
		{"203.0.113.7", 0, device}, {"2001:db8:7::7", 0, device},
		{"192.0.2.7", 0, wan}, {"2001:db8::7", 0, wan},
	} {
		l.mark = test.mark
		route, err := l.lookUp(Flow{Remote: netip.AddrPortFrom(netip.MustParseAddr(test.to), 53)}, 0)
		if err != nil || route.interfaceIndex != test.want {
			t.Errorf("%s with mark %d leaves by %d, want %d: %v", test.to, test.mark, route.interfaceIndex, test.want, err)
		}
	}
}

// TestRulesAreRestored one by one. Without the one that names the table packets are
// refused.
func TestRulesAreRestored(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		l := divert(t, "fathom0", Config{})
		defer l.Close()
		want := rulesNow(t)
		now := time.Now()
		if told, _ := l.Restore(now); len(told) != 0 {
			t.Errorf("told of %v though nothing was missing", told)
		}
		for i, set := range l.policy.sets {
			for _, r := range set.rules {
				check(t, netlink.RuleDel(r))
				// To far away, where the uplink leads as well.
				way := leavesBy(t, far[i])
				if way == "wan" || diverts(r) == (way == "fathom0") {
					t.Errorf("without rule %d packets leave by: %s", r.Priority, way)
				}
				if told, _ := l.Restore(now); len(told) != 1 || told[0].Err != nil {
					t.Errorf("told of %v", told)
				}
				if got := rulesNow(t); !slices.Equal(got, want) {
					t.Errorf("rules %q, want %q", got, want)
				}
			}
		}
		if n := l.Condition(now).Repaired[KindRule]; n != uint64(len(want)) {
			t.Errorf("%d rules repaired", n)
		}
		return nil
	})
}

// TestAnOldKernel leaves out of a rule what it does not know.
func TestAnOldKernel(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		l := divert(t, "fathom0", Config{})
		defer l.Close()
		check(t, l.understood(l.wanted.rules))
		for _, r := range l.policy.sets[0].rules {
			if r.IifName != "lo" {
				continue
			}
			check(t, netlink.RuleDel(r))
			left := *r
			left.IPProto, left.Sport, left.Protocol = 0, nil, 0
			check(t, netlink.RuleAdd(&left))
			if err := l.understood(l.wanted.rules); !errors.Is(err, errOldKernel) {
				t.Errorf("with %s: %v", left, err)
			}
			check(t, netlink.RuleDel(&left))
		}
		return nil
	})
}

// TestATableOfTheAdministrator gets all routes, and no rules.
func TestATableOfTheAdministrator(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		l := attach(t, "fathom0", Config{MTU: 1438, Table: 51})
		for _, prefix := range append(netlab.Prefixes("10.77.0.0/24"), everything...) {
			for _, mtu := range []int{1438, 1400} {
				check(t, l.Route(Route{Prefix: prefix, MTU: mtu}))
			}
		}
		check(t, l.Divert(listening))
		routes, err := l.routesIn(51)
		check(t, err)
		if len(routes) != 3 || len(rulesNow(t)) != 0 || l.Mark() != 0 {
			t.Errorf("routes %v, rules %q", routes, rulesNow(t))
		}
		return nil
	})
}

// TestTheLocalTableComesBeforeADefaultRoute: where it was moved to the end, as with
// VRFs, the host would not reach its own addresses.
func TestTheLocalTableComesBeforeADefaultRoute(t *testing.T) {
	for _, test := range []struct {
		priority int // that the rule of the local table is moved to
		ok       bool
	}{{0, true}, {1000, true}, {32765, false}} {
		t.Run(fmt.Sprint(test.priority), func(t *testing.T) {
			inHost(t, func() error {
				uplink(t)
				for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
					r := netlink.NewRule()
					r.Family, r.Priority, r.Table = family, test.priority, unix.RT_TABLE_LOCAL
					if test.priority > 0 {
						first := *r
						first.Priority = 0
						check(t, errors.Join(netlink.RuleAdd(r), netlink.RuleDel(&first)))
					}
				}
				before := rulesNow(t)
				l, err := Attach("fathom0", Config{MTU: 1438, Defaults: everything})
				check(t, err)
				for _, prefix := range everything {
					check(t, errors.Join(l.Route(Route{Prefix: prefix, MTU: 1438}), l.Guard(prefix)))
				}
				if err := l.Divert(listening); (err == nil) != test.ok || err != nil && !strings.Contains(err.Error(), "32765") {
					t.Errorf("%v", err)
				}
				if test.ok {
					expectWays(t, "diverted", map[string]string{"192.0.2.1": "lo", "203.0.113.7": "fathom0"})
				}
				l.Close()
				if after := rulesNow(t); !slices.Equal(after, before) {
					t.Errorf("rules %q, before %q", after, before)
				}
				return nil
			})
		})
	}
}
