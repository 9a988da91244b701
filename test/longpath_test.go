//go:build linux

package test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/tunnel/status"
)

// longPath has two routers, so that the link between them is neither end's:
//
//	a ── r ── s ── b
type longPath struct {
	lab                 *netlab.Lab
	A, R, S, B          *netlab.Host
	left, middle, right *netlab.Link
	a, b                *gateway.Gateway
}

func newLongPath(t testing.TB, family outer, extra string) *longPath {
	t.Helper()
	l := newLongPathOver(t, 0)
	l.configure(t, family, extra, "")
	return l
}

// newLongPathOver builds the path, with a link on the right that has the given
// round-trip time.
func newLongPathOver(t testing.TB, rtt time.Duration) *longPath {
	t.Helper()
	lab := labtest.New(t)
	l := &longPath{lab: lab, A: lab.Host("a"), R: lab.Host("r"), S: lab.Host("s"), B: lab.Host("b")}
	l.left = lab.Connect(l.A, l.R, linkConfig(netlab.Prefixes("10.1.0.2/24", "fd01::2/64"), netlab.Prefixes("10.1.0.1/24", "fd01::1/64")))
	l.middle = lab.Connect(l.R, l.S, linkConfig(netlab.Prefixes("10.2.0.1/24", "fd02::1/64"), netlab.Prefixes("10.2.0.2/24", "fd02::2/64")))
	nearB, atB := netlab.Prefixes("10.3.0.1/24", "fd03::1/64"), netlab.Prefixes("10.3.0.2/24", "fd03::2/64")
	if rtt == 0 {
		l.right = lab.Connect(l.S, l.B, linkConfig(nearB, atB))
	} else {
		way := netlab.Conditions{Delay: rtt / 2}
		link := lab.UserLink(l.S, l.B, netlab.UserLinkConfig{AddrA: nearB, AddrB: atB, AtoB: way, BtoA: way})
		l.right = &netlab.Link{A: link.A, B: link.B}
	}
	l.A.DefaultVia(l.left.B.Addrs()...)
	l.B.DefaultVia(l.right.A.Addrs()...)
	l.R.Forward()
	l.S.Forward()
	l.R.AddRoute(netlab.Prefixes("10.3.0.0/24")[0], l.middle.B.Addr4())
	l.S.AddRoute(netlab.Prefixes("10.1.0.0/24")[0], l.middle.A.Addr4())
	l.routeIPv6(t)
	l.a = newGateway(t, l.A, "10.77.0.1/24", "fd77::1/64")
	l.b = newGateway(t, l.B, "10.77.0.2/24", "fd77::2/64")
	return l
}

// routeIPv6 lays the routes that the kernel takes away with a link's IPv6.
func (l *longPath) routeIPv6(t testing.TB) {
	t.Helper()
	l.R.AddRoute(netlab.Prefixes("fd03::/64")[0], l.middle.B.Addr6())
	l.S.AddRoute(netlab.Prefixes("fd01::/64")[0], l.middle.A.Addr6())
}

// narrow makes both routers silently drop IP packets of more than mtu bytes.
// Superpackets have to be measured by their segments, which only the MTU of a link
// does; below 1280 that costs the link its IPv6.
func (l *longPath) narrow(mtu int) {
	if superlinks {
		l.R.CutPTB(true)
		l.S.CutPTB(true)
		l.middle.SetMTU(mtu)
		return
	}
	l.R.DropLonger(mtu)
	l.S.DropLonger(mtu)
}

// configure writes both configurations: extra lines of [tunnel] and of
// [[peer]].
func (l *longPath) configure(t testing.TB, family outer, extra, peerExtra string) {
	t.Helper()
	addr := func(i *netlab.Interface) string {
		a := i.Addr4()
		if family == overIPv6 {
			a = i.Addr6()
		}
		return net.JoinHostPort(a.String(), fmt.Sprint(gateway.Port))
	}
	check(t, l.a.Configure(extra, gateway.Peer{Gateway: l.b, Endpoint: addr(l.right.B), Extra: peerExtra}))
	check(t, l.b.Configure(extra, gateway.Peer{Gateway: l.a, Endpoint: addr(l.left.A), Extra: peerExtra}))
}

// newDelayedPath is the long path with a round-trip time, configured.
func newDelayedPath(t testing.TB, extra, peerExtra string, rtt time.Duration) *longPath {
	t.Helper()
	l := newLongPathOver(t, rtt)
	l.configure(t, overIPv4, extra, peerExtra)
	return l
}

// searchNow makes both ends look for a larger path at once, as they do when
// their own interface changes.
func (l *longPath) searchNow(t testing.TB) {
	t.Helper()
	for _, end := range []struct {
		i *netlab.Interface
		g *gateway.Gateway
	}{{l.left.A, l.a}, {l.right.B, l.b}} {
		end.i.SetMTU(1300)
		await(t, end.g, func(s *status.Status) bool { return s.Peers[0].PMTUD.EgressMTU == 1300 })
		end.i.SetMTU(1500)
		await(t, end.g, func(s *status.Status) bool { return s.Peers[0].PMTUD.EgressMTU == 1500 })
	}
}

// networksBehind puts host x behind A and host y behind B, and configures the
// gateways to route between them. The links to them have segmentation and
// checksum offload, or not; that to y is returned.
func (l *longPath) networksBehind(t testing.TB, offloadX, offloadY bool) (x, y *netlab.Host, nearY *netlab.Link) {
	t.Helper()
	x, y = l.lab.Host("x"), l.lab.Host("y")
	nearX := l.lab.Connect(l.A, x, netlab.LinkConfig{AddrA: netlab.Prefixes("192.168.1.1/24", "fd81::1/64"), AddrB: netlab.Prefixes(behindA4+"/24", behindA6+"/64"), Offload: offloadX})
	nearY = l.lab.Connect(l.B, y, netlab.LinkConfig{AddrA: netlab.Prefixes("192.168.2.1/24", "fd82::1/64"), AddrB: netlab.Prefixes(behindB4+"/24", behindB6+"/64"), Offload: offloadY})
	x.DefaultVia(nearX.A.Addrs()...)
	y.DefaultVia(nearY.A.Addrs()...)
	l.A.Forward()
	l.B.Forward()
	check(t, l.a.Configure("", gateway.Peer{Gateway: l.b, Endpoint: "10.3.0.2:4500", Routed: []string{"192.168.2.0/24", "fd82::/64"}}))
	check(t, l.b.Configure("", gateway.Peer{Gateway: l.a, Endpoint: "10.1.0.2:4500", Routed: []string{"192.168.1.0/24", "fd81::/64"}}))
	return x, y, nearY
}

// Addresses of the hosts behind A and B.
const (
	behindA4, behindB4 = "192.168.1.2", "192.168.2.2"
	behindA6, behindB6 = "fd81::2", "fd82::2"
)
