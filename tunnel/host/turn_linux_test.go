package host

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// TestTunnelsThatStartAtOnce do not mix their rules: each set stands in a row of its own.
func TestTunnelsThatStartAtOnce(t *testing.T) {
	prefixes := netlab.Prefixes("10.88.2.0/24", "10.99.0.0/16", "10.66.0.0/20", "10.55.0.0/18")
	for range 10 {
		host := labtest.New(t, netlab.Namespaces).Host("a")
		var tunnels []*Link
		check(t, host.Do(func() error {
			uplink(t)
			for i, prefix := range prefixes {
				name := fmt.Sprint("tunnel", i)
				upDevice(t, name)
				l := attach(t, name, Config{MTU: 1438})
				check(t, l.Route(Route{Prefix: prefix}))
				check(t, l.Guard(prefix))
				tunnels = append(tunnels, l)
			}
			return nil
		}))
		var all sync.WaitGroup
		for _, l := range tunnels {
			all.Go(func() {
				if err := host.Do(func() error { return l.Divert([]netip.AddrPort{}) }); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		check(t, host.Do(func() error {
			has, err := tunnels[0].rules()
			check(t, err)
			for i, l := range tunnels {
				if left, _ := split(has, fmt.Sprint("tunnel", i)); len(left) != 3 || len(l.ownAmong(left)) != 3 {
					t.Errorf("the rules of tunnel%d: %v", i, left)
				}
				l.undivert()
			}
			return nil
		}))
	}
}
