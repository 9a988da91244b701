//go:build linux

package test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
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

// TestStartsByTheSecondUplink: the first is silent from the start. The ends are up by the
// second, whichever calls, and back on the first some time after that lives.
func TestStartsByTheSecondUplink(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	for _, by := range callers {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			w := newDualWAN(t, failoverTrip)
			uplinks := w.uplinks(t)
			for _, of := range []string{"all", w.wans[1].A.Name()} {
				w.A.Sysctl(fmt.Sprintf("net.ipv4.conf.%s.rp_filter", of), "1")
			}
			a, b := gateway.Peer{Gateway: w.b}, gateway.Peer{Gateway: w.a}
			if by.called {
				b.Endpoint, b.Endpoints = w.at(0), []string{w.at(1)}
			} else {
				a.Endpoint = w.there()
			}
			check(t, w.a.Configure(uplinks, a))
			check(t, w.b.Configure("", b))
			w.silence(0, netlab.AtoB, netlab.BtoA)
			check(t, w.b.Start())
			check(t, w.a.Start())
			if !by.called { // by the second uplink nothing comes until the operator has acted on this
				w.awaitLog(t, "rp_filter drops what peers send to an uplink")
				found(t, w.a, status.FindingRPFilter)
			}
			for _, of := range []string{"all", w.wans[1].A.Name()} {
				w.A.Sysctl(fmt.Sprintf("net.ipv4.conf.%s.rp_filter", of), "0")
			}
			begun := time.Now()
			for _, g := range []*gateway.Gateway{w.a, w.b} {
				await(t, g, gateway.Established)
			}
			tier.Figure(t, "first uplink silent, %s: up after %d ms", by.name, time.Since(begun).Milliseconds())
			await(t, w.b, func(s *status.Status) bool { return s.Peers[0].Endpoint == w.at(1) })
			w.wans[0].SetFilter(w.ownOnly(0))
			flow := startStream(t, w.A, w.B, innerB4, 1000, 20*time.Millisecond)
			await(t, w.b, func(s *status.Status) bool { return s.Peers[0].Endpoint == w.at(0) })
			if s := flow.stop(); s.lost > 0 {
				t.Errorf("the way back costs data: %v", s)
			}
			check(t, w.a.Stop())
			check(t, w.b.Stop())
		})
	}
}

// awaitLog waits for a line of the left gateway's log.
func (w *dualWAN) awaitLog(t *testing.T, line string) {
	t.Helper()
	for end := time.Now().Add(within); !strings.Contains(w.a.Log(), line); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q is not in the log:\n%s", line, w.a.Log())
		}
	}
}
