package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// TestRelease takes away what a killed process has left, by its rules or by the
// prefixes, and nothing of another tunnel's or of the administrator's.
func TestRelease(t *testing.T) {
	left := netlab.Prefixes("10.20.0.0/16", "fd20::/48")
	for name, test := range map[string]struct {
		config   Config
		defaults bool
		prefixes bool // Release is told of the prefixes
	}{
		"by the rules":    {},
		"by the prefixes": {config: Config{Table: 51}, prefixes: true},
		"by both":         {prefixes: true},
		"a default route": {defaults: true},
	} {
		t.Run(name, func(t *testing.T) {
			inHost(t, func() error {
				uplink(t)
				check(t, os.WriteFile(validMark, []byte("0"), 0))
				test.config.Saved = filepath.Join(t.TempDir(), "src_valid_mark")
				upDevice(t, "other")
				other, err := Attach("other", Config{MTU: 1438})
				check(t, err)
				defer other.Close()
				theirs := netlab.Prefixes("10.30.0.0/16")[0]
				check(t, other.Route(Route{Prefix: theirs, MTU: 1438}))
				check(t, other.Guard(theirs))
				check(t, other.Divert(listening))
				check(t, netlink.RouteAdd(&netlink.Route{Dst: ipNet(netlab.Prefixes("10.40.0.0/16")[0]), Type: unix.RTN_UNREACHABLE}))
				hostNow := func() string { return strings.Join(rulesNow(t), "\n") + "\n" + allRoutes(t) }
				before := hostNow()

				config := test.config
				config.MTU = 1438
				var killed *Link
				if test.defaults {
					killed = divert(t, "fathom0", config)
				} else {
					killed, err = Attach("fathom0", config)
					check(t, err)
					for _, prefix := range left {
						check(t, killed.Route(Route{Prefix: prefix, MTU: 1438}))
						check(t, killed.Guard(prefix))
					}
					check(t, killed.Divert(listening))
				}
				killed.KeepGuards()
				killed.Close()
				check(t, netlink.LinkDel(state(t, "fathom0")))
				if hostNow() == before {
					t.Fatal("nothing is left to be released")
				}
				var prefixes []netip.Prefix
				if test.prefixes {
					prefixes = append(netlab.Prefixes("10.99.0.0/16"), left...) // one of them without a guard
				}
				for range 2 { // the second time there is nothing to do
					check(t, Release("fathom0", test.config, prefixes))
					if now := hostNow(); now != before {
						t.Errorf("left\n%s\nbefore\n%s", now, before)
					}
					if value, err := os.ReadFile(validMark); err != nil || strings.TrimSpace(string(value)) != "0" {
						t.Errorf("src_valid_mark is %s, %v", value, err)
					}
				}
				return nil
			})
		})
	}
}

// allRoutes returns the guards and other routes without a device, of all tables.
func allRoutes(t *testing.T) string {
	t.Helper()
	var list []string
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := netlink.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_TABLE)
		check(t, err)
		for _, r := range routes {
			if r.Type == unix.RTN_UNREACHABLE {
				list = append(list, r.String())
			}
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}
