//go:build linux

package test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// dualWAN is two gateways, the left one with two uplinks to the same address of the
// other. Each uplink lets only packets pass that come from its own address there
// (BCP 38).
//
//	  ┌─ wan 1 ─┐
//	a ┤         ├ r ── b 10.3.0.2
//	  └─ wan 2 ─┘
type dualWAN struct {
	A, R, B *netlab.Host
	wans    [2]*netlab.UserLink
	right   *netlab.Link
	a, b    *gateway.Gateway
}

// newDualWAN makes the two, not yet configured. A trip from a to b takes delay.
func newDualWAN(t *testing.T, delay time.Duration) *dualWAN {
	lab := labtest.New(t)
	w := &dualWAN{A: lab.Host("a"), R: lab.Host("r"), B: lab.Host("b")}
	way := netlab.Conditions{Delay: delay}
	for i := range w.wans {
		w.wans[i] = lab.UserLink(w.A, w.R, netlab.UserLinkConfig{
			AddrA: netlab.Prefixes(fmt.Sprintf("10.%d.0.2/24", i+1)), AddrB: netlab.Prefixes(fmt.Sprintf("10.%d.0.1/24", i+1)),
			AtoB: way, BtoA: way, Seed: 1,
		})
		w.wans[i].SetFilter(w.ownOnly(i))
	}
	w.right = lab.Connect(w.R, w.B, linkConfig(netlab.Prefixes("10.3.0.1/24"), netlab.Prefixes("10.3.0.2/24")))
	w.R.Forward()
	w.B.DefaultVia(w.right.A.Addr4())
	w.A.DefaultVia(w.wans[0].B.Addr4())
	w.a = newGateway(t, w.A, "10.77.0.1/24", "fd77::1/64")
	w.b = newGateway(t, w.B, "10.77.0.2/24", "fd77::2/64")
	return w
}

// uplinks gives the second uplink a route as well, worse than that by the first, which
// the kernel would choose, and returns the line of the configuration that names both.
func (w *dualWAN) uplinks(t *testing.T) string {
	run(t, w.A, "ip", "route", "add", "default", "via", w.wans[1].B.Addr4().String(), "metric", "500")
	return fmt.Sprintf("uplinks = [%q, %q]", w.wans[0].A.Name(), w.wans[1].A.Name())
}

// at returns the place of the left gateway by an uplink.
func (w *dualWAN) at(uplink int) string {
	return fmt.Sprintf("%s:%d", w.wans[uplink].A.Addr4(), gateway.Port)
}

// there returns that of the right one.
func (w *dualWAN) there() string { return fmt.Sprintf("%s:%d", w.right.B.Addr4(), gateway.Port) }

// ownOnly is what lets no packet out by an uplink that comes from elsewhere.
func (w *dualWAN) ownOnly(uplink int) netlab.Filter {
	own := w.wans[uplink].A.Addr4().As4()
	return func(d netlab.Dir, packet []byte) netlab.Verdict {
		if d == netlab.AtoB && packet[0]>>4 == 4 && !slices.Equal(packet[12:16], own[:]) {
			return netlab.Drop
		}
		return netlab.Pass
	}
}

// silence loses what goes by an uplink from now on, in one direction or both.
func (w *dualWAN) silence(uplink int, directions ...netlab.Dir) {
	rest := w.ownOnly(uplink)
	w.wans[uplink].SetFilter(func(d netlab.Dir, packet []byte) netlab.Verdict {
		if slices.Contains(directions, d) {
			return netlab.Drop
		}
		return rest(d, packet)
	})
}

// removeAddress takes an uplink's address away.
func (w *dualWAN) removeAddress(uplink int) {
	on := w.wans[uplink].A
	on.RemoveAddress(netip.PrefixFrom(on.Addr4(), 24))
}
