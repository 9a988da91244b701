package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// farAway are networks that only a default route leads to.
var farAway = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:7::/48")}

// expectWay checks by which device packets for far away leave, empty: by none.
func expectWay(t *testing.T, when, device string) {
	t.Helper()
	for _, far := range farAway {
		way := leavesBy(t, far)
		if device == "" && !strings.Contains(way, "no route to host") || device != "" && way != device {
			t.Errorf("%s: packets for %s leave by: %s", when, far, way)
		}
	}
}

// TestWhatAProcessLeaves, killed or with guards that it is to leave, is taken over by
// the next for the same device, with or without a default route, and by no other.
func TestWhatAProcessLeaves(t *testing.T) {
	for name, config := range map[string]Config{"killed": {}, "stopped, and blocks": {KeepGuards: true}} {
		t.Run(name, func(t *testing.T) {
			inHost(t, func() error {
				uplink(t)
				leave := func() {
					l := divert(t, "fathom0", config)
					check(t, netlink.LinkDel(state(t, "fathom0")))
					if config.KeepGuards {
						l.Close()
					}
				}
				leave()
				left := rulesNow(t)
				expectWay(t, "left", "")

				upDevice(t, "other")
				attached, err := Attach("other", Config{MTU: 1438})
				check(t, err)
				check(t, attached.Divert(listening))
				attached.Close()
				expectWay(t, "a tunnel without a default route has run", "")
				diverted := divert(t, "other", Config{})
				if diverted.DefaultTable() != firstTable+1 || diverted.Mark() != firstTable {
					t.Errorf("table %d, mark %d", diverted.DefaultTable(), diverted.Mark())
				}
				expectWay(t, "a tunnel with a default route runs", "other")
				diverted.Close()
				expectWay(t, "it has ended", "")
				if got := rulesNow(t); !slices.Equal(got, left) {
					t.Errorf("rules %q, want %q", got, left)
				}

				upDevice(t, "fathom0")
				next := divert(t, "fathom0", Config{})
				if got := rulesNow(t); !slices.Equal(got, left) {
					t.Errorf("rules %q, want %q", got, left)
				}
				next.Close()
				if got := rulesNow(t); len(got) > 0 {
					t.Errorf("rules %q", got)
				}

				leave()
				upDevice(t, "fathom0")
				attached, err = Attach("fathom0", Config{MTU: 1438})
				check(t, err)
				defer attached.Close()
				check(t, attached.Divert(listening))
				expectWay(t, "the next has no default route", "wan")
				if routes, err := attached.routesIn(firstTable); len(rulesNow(t)) > 0 || len(routes) > 0 || err != nil {
					t.Errorf("rules %q, routes %v: %v", rulesNow(t), routes, err)
				}
				return nil
			})
		})
	}
}

// TestALeftSetOfAnotherAddress is replaced: its rules name a source, those of the
// next do not.
func TestALeftSetOfAnotherAddress(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		l, err := Attach("fathom0", Config{MTU: 1438, Defaults: everything})
		check(t, err)
		check(t, l.Divert([]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:4500")}))
		check(t, netlink.LinkDel(state(t, "fathom0")))
		upDevice(t, "fathom0")
		next := divert(t, "fathom0", Config{})
		for _, rule := range rulesNow(t) {
			if strings.Contains(rule, "from") {
				t.Errorf("left: %s", rule)
			}
		}
		next.Close()
		if got := rulesNow(t); len(got) > 0 {
			t.Errorf("rules %q", got)
		}
		return nil
	})
}

// TestALeftSecondLine is taken over without a gap by the next process for the device,
// and by no other. What that one does not want is removed.
func TestALeftSecondLine(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		upDevice(t, "other")
		tables := func() (n int) {
			for table := firstGuardTable; table < firstGuardTable+9; table++ {
				for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
					routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE)
					check(t, err)
					n += len(routes)
				}
			}
			return n
		}
		leave := func(prefixes ...netip.Prefix) []string {
			lead(t, "fathom0", Config{}, prefixes...)
			check(t, netlink.LinkDel(state(t, "fathom0")))
			upDevice(t, "fathom0")
			return rulesNow(t)
		}
		left := leave(remote...)
		flushMain(t, remote...)
		expectWays(t, "killed", map[string]string{"10.88.2.1": "", "fd88:0:2::1": ""})
		other := lead(t, "other", Config{}, netip.MustParsePrefix("10.66.0.0/16"))
		other.Close()
		if got := rulesNow(t); !slices.Equal(got, left) {
			t.Errorf("rules %q, want %q", got, left)
		}

		same := lead(t, "fathom0", Config{KeepGuards: true}, remote...)
		if got := rulesNow(t); !slices.Equal(got, left) {
			t.Errorf("rules %q, want %q", got, left)
		}
		same.Close()
		if got := rulesNow(t); !slices.Equal(got, left) || tables() != len(remote) {
			t.Errorf("rules %q, want %q; %d guards", got, left, tables())
		}

		check(t, netlink.LinkDel(state(t, "fathom0")))
		upDevice(t, "fathom0")
		moved := netip.MustParsePrefix("10.99.4.0/24")
		next := lead(t, "fathom0", Config{}, moved)
		if got := rulesNow(t); len(got) != 3 || tables() != 1 {
			t.Errorf("rules %q, %d guards", got, tables())
		}
		expectWays(t, "the prefixes are others", map[string]string{"10.99.4.1": "fathom0", "203.0.113.7": "wan"})
		next.Close()
		released := map[string]string{"10.88.1.1": "wan", "10.88.2.1": "wan", "fd88:0:1::1": "wan", "fd88:0:2::1": "wan"}
		expectWays(t, "the prefixes were others", released)

		leave(remote...)
		other = lead(t, "other", Config{}, remote[2]) // it has got a prefix
		attached := attach(t, "fathom0", Config{MTU: 1438})
		check(t, attached.Divert(listening))
		expectWays(t, "no prefixes", released)
		if got := rulesNow(t); len(got) != 3 || tables() != 1 {
			t.Errorf("rules %q, %d guards", got, tables())
		}
		if err := netlink.RouteDel(guardRoute(guardIn(remote[2], mainTable))); err != nil {
			t.Errorf("the guard of another tunnel: %v", err)
		}
		other.Close()
		if got := rulesNow(t); len(got) > 0 || tables() > 0 {
			t.Errorf("rules %q, %d guards", got, tables())
		}
		return nil
	})
}

// TestTwoDefaultRoutes: the packets of neither tunnel enter the other, whichever
// started first.
func TestTwoDefaultRoutes(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		upDevice(t, "fathom1")
		wan := state(t, "wan").Attrs().Index
		tunnels := map[string]*Link{}
		expect := func(when string) {
			t.Helper()
			for name, l := range tunnels {
				for _, flow := range []Flow{
					{Remote: netip.MustParseAddrPort("203.0.113.9:4500"), Local: netip.MustParseAddrPort("192.0.2.1:4500")},
					{Remote: netip.MustParseAddrPort("[2001:db8:9::9]:4500"), Local: netip.MustParseAddrPort("[2001:db8::1]:4501")},
				} {
					if e, err := l.Egress(flow); err != nil || e.Interface != wan {
						t.Errorf("%s: packets of %s for %s leave by %d: %v", when, name, flow.Remote, e.Interface, err)
					}
				}
			}
		}
		tunnels["fathom0"] = divert(t, "fathom0", Config{})
		tunnels["fathom1"] = divert(t, "fathom1", Config{})
		expect("both run")
		expectWay(t, "both run", "fathom1")
		tunnels["fathom0"].Close()
		tunnels["fathom0"] = divert(t, "fathom0", Config{})
		expect("the first runs again")
		for _, l := range tunnels {
			l.Close()
		}
		if got := rulesNow(t); len(got) > 0 {
			t.Errorf("rules %q", got)
		}
		return nil
	})
}

// TestTwoMarks of tunnels with a default route cannot be, at whichever moment the
// second is chosen.
func TestTwoMarks(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		upDevice(t, "fathom1")
		late, err := Attach("fathom1", Config{MTU: 1438, Defaults: everything, Mark: 78})
		check(t, err)
		defer late.Close()
		first := divert(t, "fathom0", Config{Mark: 77})
		defer first.Close()
		if err := late.Divert(listening); !errors.Is(err, errOtherMarks) {
			t.Errorf("a mark that was chosen before: %v", err)
		}
		if l, err := Attach("fathom1", Config{MTU: 1438, Defaults: everything, Mark: 78}); !errors.Is(err, errOtherMarks) {
			l.Close()
			t.Errorf("a mark of the configuration: %v", err)
		}
		l := attach(t, "fathom1", Config{MTU: 1438, Defaults: everything})
		if l.Mark() != 77 {
			t.Errorf("mark %d though another tunnel has 77", l.Mark())
		}
		return nil
	})
}

// TestSplit tells the rules of tunnels apart, also where somebody has deleted some.
func TestSplit(t *testing.T) {
	rule := func(priority int, change func(*netlink.Rule)) netlink.Rule {
		r := netlink.NewRule()
		r.Family, r.Protocol, r.Priority, r.Table = unix.AF_INET, RuleProtocol, priority, unix.RT_TABLE_UNSPEC
		change(r)
		return *r
	}
	of := func(device string) func(*netlink.Rule) { return func(r *netlink.Rule) { r.IifName = device } }
	main := func(r *netlink.Rule) { r.Table = unix.RT_TABLE_MAIN }
	guard := func(r *netlink.Rule) { r.Invert = true }
	administrator := func(r *netlink.Rule) { r.Protocol, r.IifName = unix.RTPROT_STATIC, "fathom0" }
	other := func(r *netlink.Rule) { r.Family, r.IifName = unix.AF_INET6, "fathom0" }
	for name, test := range map[string]struct {
		rules []netlink.Rule
		left  []int
	}{
		"none":             {},
		"its own":          {[]netlink.Rule{rule(1, of("fathom0")), rule(2, main), rule(3, guard)}, []int{1, 2, 3}},
		"of another":       {[]netlink.Rule{rule(1, of("fathom1")), rule(2, main), rule(3, guard)}, nil},
		"after another":    {[]netlink.Rule{rule(1, of("fathom1")), rule(2, guard), rule(3, of("fathom0")), rule(4, guard)}, []int{3, 4}},
		"without a guard":  {[]netlink.Rule{rule(1, of("fathom0")), rule(2, main), rule(3, of("fathom1")), rule(4, guard)}, []int{1, 2}},
		"without a name":   {[]netlink.Rule{rule(1, of("fathom0")), rule(2, guard), rule(3, main), rule(4, guard)}, []int{1, 2}},
		"with lo":          {[]netlink.Rule{rule(1, of("fathom0")), rule(2, of("lo")), rule(3, guard)}, []int{1, 2, 3}},
		"of both families": {[]netlink.Rule{rule(1, of("fathom0")), rule(2, guard), rule(1, other), rule(3, main)}, []int{1, 2, 1}},
		"administrator's":  {[]netlink.Rule{rule(1, administrator), rule(2, of("fathom0")), rule(3, administrator), rule(4, guard)}, []int{2, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			left, others := split(test.rules, "fathom0")
			var got []int
			for _, r := range left {
				got = append(got, r.Priority)
			}
			if !slices.Equal(got, test.left) || len(left)+len(others) != len(test.rules) {
				t.Errorf("left %v, want %v; %d others of %d", got, test.left, len(others), len(test.rules))
			}
		})
	}
}

// TestFreeMark is the first that no rule tells from none.
func TestFreeMark(t *testing.T) {
	masked := func(mark, mask uint32) *netlink.Rule { return &netlink.Rule{Mark: mark, Mask: &mask} }
	for _, test := range []struct {
		rules []*netlink.Rule
		want  uint32
	}{
		{nil, 4500},
		{[]*netlink.Rule{{Table: 4500}}, 4500},
		{[]*netlink.Rule{{Mark: 4500}}, 4501},
		{[]*netlink.Rule{masked(4500, ^uint32(0)), masked(4501, ^uint32(0))}, 4502},
		{[]*netlink.Rule{masked(0x80000, 0xff0000)}, 4500},
		{[]*netlink.Rule{masked(0x1000, 0x1000)}, 0x2000},
		{[]*netlink.Rule{masked(0, 0x1000)}, 0x2000},
		{[]*netlink.Rule{masked(0, ^uint32(0))}, 0},
	} {
		t.Run(fmt.Sprint(test.want), func(t *testing.T) {
			var rules []netlink.Rule
			for _, r := range test.rules {
				rules = append(rules, *r)
			}
			if got := freeMark(rules); got != test.want {
				t.Errorf("%#x, want %#x", got, test.want)
			}
		})
	}
}
