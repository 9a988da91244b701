package host

import (
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// TestReversePathDrops: only a strict rp_filter, only where the answer would leave by
// another uplink, and not if a rule leads it back.
func TestReversePathDrops(t *testing.T) {
	inHost(t, func() error {
		l := twoWans(t)
		remotes := []netip.AddrPort{netip.MustParseAddrPort("203.0.113.9:4500"), netip.MustParseAddrPort("[2001:db8:9::9]:4500")}
		known := func() []string {
			return l.ReversePathDrops(l.Ways(netip.AddrPortFrom(netip.Addr{}, 4500), []string{"wan1", "wan2"}, remotes))
		}
		drops := func() []string {
			l.Forget()
			return known()
		}
		set := func(of, value string) {
			check(t, os.WriteFile("/proc/sys/net/ipv4/conf/"+of+"/rp_filter", []byte(value), 0))
		}
		want := func(when string, uplinks ...string) {
			t.Helper()
			if got := drops(); !slices.Equal(got, uplinks) {
				t.Errorf("%s: %q, want %q", when, got, uplinks)
			}
		}
		for _, of := range []string{"all", "wan1", "wan2"} {
			set(of, "0")
		}
		want("off")
		set("all", "1")
		want("strict everywhere", "wan2")
		set("wan2", "2")
		want("loose on the second")
		set("all", "0")
		set("wan2", "1")
		want("strict on the second", "wan2")
		check(t, netlink.RouteAdd(&netlink.Route{LinkIndex: state(t, "wan2").Attrs().Index, Dst: ipNet(netlab.Prefixes("0.0.0.0/0")[0]), Table: 52, Scope: unix.RT_SCOPE_LINK}))
		for i, of := range netlab.Prefixes("198.51.100.1/32", "198.51.100.2/32") {
			rule := netlink.NewRule()
			rule.Src, rule.Table, rule.Priority = ipNet(of), 52, 100+i
			check(t, netlink.RuleAdd(rule))
		}
		if got := known(); !slices.Equal(got, []string{"wan2"}) {
			t.Errorf("before Forget: %q, another answer than the one that was learnt", got)
		}
		want("rules by the source")
		return nil
	})
}
