package host

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// remote are networks behind peers, some within others.
var remote = netlab.Prefixes("10.88.0.0/16", "10.88.2.0/24", "10.99.3.0/24", "fd88::/32", "fd88:0:2::/48")

// lead leads prefixes into a device that there is, with both lines of guards.
func lead(t *testing.T, name string, config Config, prefixes ...netip.Prefix) *Link {
	t.Helper()
	config.MTU = 1438
	l, err := Attach(name, config)
	check(t, err)
	for _, prefix := range prefixes {
		check(t, errors.Join(l.Route(Route{Prefix: prefix}), l.Guard(prefix)))
	}
	check(t, l.Divert(listening))
	return l
}

// routeBy is a route by an interface.
func routeBy(t *testing.T, device string, prefix netip.Prefix) *netlink.Route {
	t.Helper()
	r := &netlink.Route{LinkIndex: state(t, device).Attrs().Index, Dst: ipNet(prefix), Protocol: unix.RTPROT_STATIC}
	if prefix.Addr().Is4() {
		r.Scope = netlink.SCOPE_LINK
	}
	return r
}

// flushMain deletes the routes of the main table to a prefix, and the guards.
func flushMain(t *testing.T, prefixes ...netip.Prefix) {
	t.Helper()
	for _, prefix := range prefixes {
		filter := &netlink.Route{Dst: ipNet(prefix), Table: unix.RT_TABLE_MAIN}
		list, err := netlink.RouteListFiltered(familyOf(prefix.Addr()), filter, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
		check(t, err)
		for i := range list {
			check(t, netlink.RouteDel(&list[i]))
		}
	}
}

// wayTo returns by which device packets for an address leave; empty: they are refused.
func wayTo(t *testing.T, address string) string {
	t.Helper()
	routes, err := netlink.RouteGet(net.ParseIP(address))
	if errors.Is(err, unix.EHOSTUNREACH) {
		return ""
	}
	check(t, err)
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	check(t, err)
	return link.Attrs().Name
}

func expectWays(t *testing.T, when string, want map[string]string) {
	t.Helper()
	for address, device := range want {
		if got := wayTo(t, address); got != device {
			t.Errorf("%s: packets for %s leave by %q, want %q", when, address, got, device)
		}
	}
}

// TestSecondLine refuses packets where the route and its guard are gone, whatever wider
// routes there are, and changes nothing else.
func TestSecondLine(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		for _, prefix := range netlab.Prefixes("10.0.0.0/8", "fd00::/8") {
			check(t, netlink.RouteAdd(routeBy(t, "wan", prefix)))
		}
		before := routing(t)
		l := lead(t, "fathom0", Config{}, remote...)
		want := []string{
			"32701: iif fathom0 table 0", "32702: to 10.64.0.0/10 table 254 suppress 23", "32703: to 10.64.0.0/10 table 4600",
			"32704: to 10.88.0.0/16 table 254 suppress 15", "32705: to 10.88.0.0/16 table 4601",
			"32701: iif fathom0 table 0", "32702: to fd88:0:2::/48 table 254 suppress 47", "32703: to fd88:0:2::/48 table 4600",
			"32704: to fd88::/32 table 254 suppress 31", "32705: to fd88::/32 table 4601",
		}
		if got := rulesNow(t); !slices.Equal(got, want) {
			t.Errorf("rules %q", got)
		}
		others := map[string]string{"10.1.1.1": "wan", "10.99.4.1": "wan", "192.0.2.7": "wan", "203.0.113.7": "wan", "fd89::1": "wan", "2001:db8:7::7": "wan"}
		expectWays(t, "all is there", others)
		expectWays(t, "all is there", map[string]string{"10.88.1.1": "fathom0", "10.88.2.1": "fathom0", "10.99.3.1": "fathom0", "fd88:0:1::1": "fathom0", "fd88:0:2::1": "fathom0"})

		theirs := []*netlink.Route{}
		for _, prefix := range netlab.Prefixes("10.88.2.128/25", "10.88.3.0/24", "fd88:0:2:1::/64", "fd88:0:3::/48") {
			theirs = append(theirs, routeBy(t, "wan", prefix))
			check(t, netlink.RouteAdd(theirs[len(theirs)-1]))
		}
		longer := map[string]string{"10.88.2.129": "wan", "10.88.3.1": "wan", "fd88:0:2:1::1": "wan", "fd88:0:3::1": "wan"}
		expectWays(t, "there are longer routes", longer)
		flushMain(t, remote...)
		expectWays(t, "all is gone", others)
		expectWays(t, "all is gone", longer)
		expectWays(t, "all is gone", map[string]string{"10.88.1.1": "", "10.88.2.1": "", "10.99.3.1": "", "fd88:0:1::1": "", "fd88:0:2::1": ""})
		for _, r := range theirs {
			check(t, netlink.RouteDel(r))
		}

		check(t, netlink.RouteAdd(routeBy(t, "wan", remote[1])))
		expectWays(t, "another has the prefix", map[string]string{"10.88.2.1": "wan", "10.88.1.1": "", "10.99.3.1": ""})
		flushMain(t, remote[1])
		for _, prefix := range remote { // as it was before the flush
			check(t, errors.Join(netlink.RouteAdd(routeBy(t, "fathom0", prefix)), netlink.RouteAdd(guardRoute(guardIn(prefix, mainTable)))))
		}
		l.Close()
		check(t, netlink.LinkDel(state(t, "fathom0")))
		upDevice(t, "fathom0")
		if after := routing(t); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
		return nil
	})
}

// TestSecondLineIsRestored: a rule or a guard that is deleted comes back, and in the
// meantime no packet leaves by another way.
func TestSecondLineIsRestored(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		l := lead(t, "fathom0", Config{}, remote...)
		defer l.Close()
		k := &tended{l, make(chan struct{}, 1), NewChanges()}
		w, err := l.Watch(k.ours, k.changes)
		check(t, err)
		defer w.Close()
		k.restore(t)
		want := routing(t)
		restored := func(what string) {
			t.Helper()
			for _, address := range []string{"10.88.1.1", "10.88.2.1", "10.99.3.1", "fd88:0:1::1", "fd88:0:2::1"} {
				if way := wayTo(t, address); way == "wan" {
					t.Errorf("without %s packets for %s leave", what, address)
				}
			}
			if told := k.restore(t); len(told) == 0 {
				t.Errorf("%s: not told", what)
			}
			if got := routing(t); got != want {
				t.Errorf("without %s: want\n%s\ngot\n%s", what, want, got)
			}
		}
		rules, guards := 0, 0
		for _, set := range l.policy.sets {
			for _, r := range set.rules {
				check(t, netlink.RuleDel(r))
				restored(r.String())
				rules++
			}
			for _, i := range set.guards {
				check(t, netlink.RouteDel(guardRoute(i)))
				restored(i.String())
				guards++
			}
		}
		if n := l.Condition(time.Now()).Repaired; n[KindRule] != uint64(rules) || n[KindGuard] != uint64(guards) || guards != len(remote) {
			t.Errorf("%d rules and %d guards: repaired %v", rules, guards, n)
		}
		return nil
	})
}

// TestRulesOfOthers keep their say: the second line stands behind them, or not at all.
func TestRulesOfOthers(t *testing.T) {
	prefix := netip.MustParsePrefix("10.88.2.0/24")
	from := func(priority int) *netlink.Rule {
		r := netlink.NewRule()
		r.Family, r.Priority, r.Table, r.Src = unix.AF_INET, priority, 52, ipNet(netip.MustParsePrefix("192.0.2.1/32"))
		return r
	}
	wide := netlink.NewRule() // as wg-quick adds it
	wide.Family, wide.Priority, wide.Table, wide.SuppressPrefixlen = unix.AF_INET, 32764, unix.RT_TABLE_MAIN, 0
	local := netlink.NewRule() // as where there are VRFs
	local.Family, local.Priority, local.Table = unix.AF_INET, 32765, unix.RT_TABLE_LOCAL
	for name, test := range map[string]struct {
		rules []*netlink.Rule
		line  bool
	}{
		"first":                  {[]*netlink.Rule{from(1000)}, true},
		"right before":           {[]*netlink.Rule{from(32700)}, true},
		"last":                   {[]*netlink.Rule{from(32765)}, false},
		"in between":             {[]*netlink.Rule{from(32710)}, false},
		"behind the main table":  {[]*netlink.Rule{from(32766)}, true},
		"behind one for all":     {[]*netlink.Rule{wide, from(32765)}, true},
		"the local table last":   {[]*netlink.Rule{local}, false},
		"before the one for all": {[]*netlink.Rule{from(32763), wide}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inHost(t, func() error {
				uplink(t)
				for _, r := range test.rules {
					check(t, netlink.RuleAdd(r))
				}
				before := rulesNow(t)
				l, err := Attach("fathom0", Config{MTU: 1438})
				check(t, err)
				check(t, errors.Join(l.Route(Route{Prefix: prefix}), l.Guard(prefix)))
				err = l.Divert(listening)
				rules, errs := rulesNow(t), 0
				if errors.Is(err, ErrFirstLineOnly) && errors.Is(err, errBlocked) {
					errs++
				}
				if test.line == (errs == 1) || test.line != (len(rules) == len(before)+3) || !test.line && !slices.Equal(rules, before) {
					t.Errorf("rules %q: %v", rules, err)
				}
				if left, err := l.routesIn(firstGuardTable); err != nil || test.line != (len(left) == 1) {
					t.Errorf("guards %v: %v", left, err)
				}
				if told, _ := l.Restore(time.Now()); len(told) > 0 {
					t.Errorf("told %v", told)
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

// TestWithoutPolicyRouting there is no second line, which is said, but not where the
// family is missing as a whole.
func TestWithoutPolicyRouting(t *testing.T) {
	inHost(t, func() error {
		upDevice(t, "fathom0")
		l := attach(t, "fathom0", Config{MTU: 1438})
		check(t, l.Guard(remote[0]))
		sets, lacking, err := l.secondLine(nil)
		if len(sets) > 0 || !errors.Is(lacking, ErrFirstLineOnly) || !errors.Is(lacking, errNoRules) || err != nil {
			t.Errorf("%d sets, lacking %v: %v", len(sets), lacking, err)
		}
		return nil
	})
}

// TestSecondLinesOfTwoTunnels, one of them with a default route, in either order: each
// refuses what is its own, and neither catches what is of the other.
func TestSecondLinesOfTwoTunnels(t *testing.T) {
	for name, order := range map[string][]string{"the default route last": {"fathom0", "fathom1"}, "the default route first": {"fathom1", "fathom0"}} {
		t.Run(name, func(t *testing.T) {
			inHost(t, func() error {
				uplink(t)
				upDevice(t, "fathom1")
				check(t, netlink.RouteAdd(routeBy(t, "wan", netip.MustParsePrefix("10.0.0.0/8"))))
				before := routing(t)
				tunnels := make(map[string]*Link)
				for _, name := range order {
					if name == "fathom0" {
						tunnels[name] = lead(t, name, Config{}, remote...)
					} else {
						prefixes := append(netlab.Prefixes("10.66.0.0/16"), everything...)
						tunnels[name] = lead(t, name, Config{Defaults: everything}, prefixes...)
					}
				}
				expectWays(t, "both run", map[string]string{"10.88.2.1": "fathom0", "10.66.1.1": "fathom1", "203.0.113.7": "fathom1", "2001:db8:7::7": "fathom1", "10.1.1.1": "wan", "192.0.2.7": "wan"})
				flushMain(t, append(netlab.Prefixes("10.66.0.0/16"), remote...)...)
				expectWays(t, "the main table has lost all", map[string]string{"10.88.2.1": "", "fd88:0:2::1": "", "10.66.1.1": "", "203.0.113.7": "fathom1", "2001:db8:7::7": "fathom1", "10.1.1.1": "wan"})
				for _, name := range order {
					tunnels[name].Close()
				}
				if after := routing(t); after != before {
					t.Errorf("before:\n%s\nafter:\n%s", before, after)
				}
				return nil
			})
		})
	}
}

// TestContestedSecondLine: however often another program deletes the route and its guard
// in the main table together, no packet finds another way.
func TestContestedSecondLine(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		l := lead(t, "fathom0", Config{}, remote...)
		defer l.Close()
		now := time.Now()
		for range 10 {
			flushMain(t, remote...)
			expectWays(t, "flushed", map[string]string{"10.88.1.1": "", "10.88.2.1": "", "10.99.3.1": "", "fd88:0:1::1": "", "fd88:0:2::1": ""})
			l.doubt.all = true
			l.Restore(now)
			now = now.Add(time.Second)
		}
		if c := strings.Join(l.Condition(now).Contested, ", "); !strings.Contains(c, "guard route to 10.88.2.0/24") || strings.Contains(c, "table") || strings.Contains(c, "rule") {
			t.Errorf("contested: %s", c)
		}
		return nil
	})
}
