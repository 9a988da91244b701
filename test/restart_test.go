//go:build linux

package test

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/gateway"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestRestartOfEitherSide ends one side, well or by force, starts it again, and
// expects traffic to flow at once, in the direction that is harder as well:
// from the side that has not noticed. How soon is tested in virtual time:
// TestARestartedPeerIsBackAtOnce.
func TestRestartOfEitherSide(t *testing.T) {
	tier.Select(t)
	p := newPair(t, overIPv4, "")
	check(t, p.b.Start())
	start := func(g *gateway.Gateway) time.Duration {
		t.Helper()
		began := time.Now()
		check(t, g.Start())
		await(t, g, gateway.Established)
		pinger(t, p.A, innerB4)
		pinger(t, p.B, innerA6)
		return time.Since(began)
	}
	first := start(p.a)
	for _, test := range []struct {
		name string
		g    *gateway.Gateway
		kill bool
	}{
		{"a is restarted", p.a, false}, {"b is restarted", p.b, false},
		{"a crashes", p.a, true}, {"b crashes", p.b, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.kill {
				test.g.Kill()
			} else {
				check(t, test.g.Stop())
			}
			took := start(test.g)
			t.Logf("back after %v; the first start took %v", took.Round(time.Millisecond), first.Round(time.Millisecond))
		})
	}
}

// TestRestartInATransfer restarts either side in the middle of a TCP transfer,
// which must go on.
func TestRestartInATransfer(t *testing.T) {
	tier.Select(t, tier.Superlinks)
	p := newPair(t, overIPv4, "")
	up(t, p.a, p.b)
	data := transferring(t, p.A, p.B, innerB4)
	for _, g := range []*gateway.Gateway{p.a, p.b} {
		data.more(16 << 20)
		g.Kill() // the device and its addresses are gone with it
		check(t, g.Start())
		await(t, g, gateway.Established)
	}
	data.more(16 << 20)
	data.stop()
}

// TestStop ends the tunnel by each signal: it must tell the peer, and leave
// nothing behind on the host.
func TestStop(t *testing.T) {
	tier.Select(t)
	p := newPair(t, overIPv4, "")
	check(t, p.b.Start())
	before := settledState(t, p)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			check(t, p.a.Start())
			await(t, p.a, gateway.Established)
			await(t, p.b, gateway.Established)
			if during := hostState(t, p); during == before {
				t.Error("an established tunnel does not show on the host: the test looks at the wrong things")
			}
			check(t, p.a.StopBy(signal))
			await(t, p.b, func(s *status.Status) bool { return !s.Up() })
			if after := hostState(t, p); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// settledState is hostState when the kernel has done what it does by itself with
// new interfaces and addresses.
func settledState(t *testing.T, p *pair) string {
	t.Helper()
	var last string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(settle) {
		s := hostState(t, p)
		if s == last && !strings.Contains(s, "tentative") {
			return s
		}
		last = s
	}
	t.Fatalf("the host does not settle:\n%s", last)
	return ""
}

// hostState lists the interfaces, addresses and routes of host A.
func hostState(t *testing.T, p *pair) (s string) {
	t.Helper()
	check(t, p.A.Do(func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		for _, l := range links {
			s += "link " + l.Attrs().Name + "\n"
			addresses, err := netlink.AddrList(l, netlink.FAMILY_ALL)
			if err != nil {
				return err
			}
			for _, a := range addresses {
				s += "  " + a.IPNet.String()
				if a.Flags&unix.IFA_F_TENTATIVE != 0 {
					s += " tentative"
				}
				s += "\n"
			}
		}
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: 0}, netlink.RT_FILTER_TABLE)
		for _, r := range routes {
			var to *net.IPNet
			if r.Dst != nil {
				to = r.Dst
			}
			s += "route " + to.String() + "\n"
		}
		return err
	}))
	return s
}
