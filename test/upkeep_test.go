//go:build linux

package test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// networks behind gateway B, and a host in each.
const (
	farNet4, farNet6   = "10.88.2.0/24", "fd88:2::/64"
	farHost4, farHost6 = "10.88.2.1", "fd88:2::1"
)

// newGatewayPair is a pair in which networks are behind gateway B. extra are more
// lines of A's [tunnel] table.
func newGatewayPair(t testing.TB, extra string) *pair {
	t.Helper()
	p := &pair{Routed: labtest.New(t).RoutedOver(linkConfig(nil, nil))}
	p.a = newGateway(t, p.A, "10.77.0.1/24", "fd77::1/64")
	p.b = newGateway(t, p.B, "10.77.0.2/24", "fd77::2/64")
	p.B.Interface("lo").AddAddress(netlab.Prefixes(farHost4+"/32", farHost6+"/128")...)
	check(t, p.a.Configure(extra, gateway.Peer{Gateway: p.b, Endpoint: p.endpoint(p.Right.B, overIPv4), Routed: []string{farNet4, farNet6}}))
	check(t, p.b.Configure("", gateway.Peer{Gateway: p.a}))
	return p
}

// inClear counts the captured packets that have an inner address outside.
func inClear(c *netlab.Capture) (n int) {
	inner := netlab.Prefixes("10.77.0.0/24", "fd77::/64", farNet4, farNet6)
	for _, p := range c.Packets() {
		var from, to netip.Addr
		switch b := p.Data; {
		case len(b) >= 20 && b[0]>>4 == 4:
			from, to = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
		case len(b) >= 40 && b[0]>>4 == 6:
			from, to = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		}
		for _, prefix := range inner {
			if prefix.Contains(from) || prefix.Contains(to) {
				n++
				break
			}
		}
	}
	return n
}

// onA makes a change on host A as another program does, by way of netlink.
func (p *pair) onA(t testing.TB, change func(device netlink.Link) error) {
	t.Helper()
	check(t, p.A.Do(func() error {
		device, err := netlink.LinkByName(gateway.Device)
		if err != nil {
			return err
		}
		return change(device)
	}))
}

// routesOf returns the main table's routes of the kind to exactly a prefix.
func routesOf(prefix string, kind int) (list []netlink.Route, err error) {
	dst, err := netlink.ParseIPNet(prefix)
	if err != nil {
		return nil, err
	}
	filter := &netlink.Route{Dst: dst, Table: unix.RT_TABLE_MAIN, Type: kind}
	return netlink.RouteListFiltered(nlFamily(dst.IP), filter, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
}

func nlFamily(ip net.IP) int {
	if ip.To4() != nil {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

// deleteRoute deletes the routes of the kind to a prefix; that there is none is
// no error.
func deleteRoute(prefix string, kind int) error {
	list, err := routesOf(prefix, kind)
	for i := range list {
		err = errors.Join(err, netlink.RouteDel(&list[i]))
	}
	return err
}

// deleteForeignRoutes deletes the main table's routes that neither the kernel nor the
// uplink's configuration has made, as a network manager does.
func deleteForeignRoutes(netlink.Link) error {
	list, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
	for i := range list {
		if ones, _ := list[i].Dst.Mask.Size(); ones > 0 && list[i].Protocol != unix.RTPROT_KERNEL {
			err = errors.Join(err, netlink.RouteDel(&list[i]))
		}
	}
	return err
}

// awaitRoutes waits until host A has its routes to the far networks, and their
// guards.
func (p *pair) awaitRoutes(t testing.TB) {
	t.Helper()
	check(t, p.A.Do(func() error {
		for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			missing := 0
			for _, prefix := range []string{farNet4, farNet6, innerB4 + "/32", innerB6 + "/128"} {
				for _, kind := range []int{unix.RTN_UNICAST, unix.RTN_UNREACHABLE} {
					list, err := routesOf(prefix, kind)
					if err != nil {
						return err
					}
					if len(list) == 0 {
						missing++
					}
				}
			}
			if missing == 0 {
				return nil
			}
		}
		return errors.New("routes are missing")
	}))
}

// awaitGuard waits until host A has the guard of a prefix.
func (p *pair) awaitGuard(t testing.TB, prefix string) {
	t.Helper()
	check(t, p.A.Do(func() error {
		for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if list, err := routesOf(prefix, unix.RTN_UNREACHABLE); err != nil || len(list) > 0 {
				return err
			}
		}
		return errors.New("the guard is missing")
	}))
}

// TestHostEvents lets other programs change what belongs to the tunnel under
// traffic: it is put right, no SA is lost, and not one packet leaves in clear
// text. The table that it logs is the figure.
func TestHostEvents(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	// With guards that stay, not even a restart lets a packet out.
	p := newGatewayPair(t, `on_stop = "block"`)
	up(t, p.a, p.b)
	uplink := p.Left.A.Capture()
	var beacons []*beacon
	for _, address := range []string{farHost4, farHost6, innerB4, innerB6} {
		beacons = append(beacons, startBeacon(t, p.A, p.B, address))
	}
	for _, b := range beacons {
		b.back(t, time.Time{})
	}
	address := func(prefix string) func(netlink.Link) error {
		return func(device netlink.Link) error {
			addr, err := netlink.ParseAddr(prefix)
			if err != nil {
				return err
			}
			return netlink.AddrDel(device, addr)
		}
	}
	route := func(prefix string, kind int) func(netlink.Link) error {
		return func(netlink.Link) error { return deleteRoute(prefix, kind) }
	}
	lines := []string{fmt.Sprintf("%-28s %14s %14s %9s", "event", "repaired after", "in clear text", "SAs lost")}
	clear := 0
	repaired := make(map[string]uint64)
	// Beside the tunnel: what the machine itself is late by is deducted.
	beside := startBeacon(t, p.A, p.B, p.Right.B.Addr4().String())
	const atOnce, contested = "at once", "contested"
	event := func(name, kind string, change func()) {
		// Anew, so that the back-off does not take the test for another manager.
		check(t, p.a.Stop())
		up(t, p.a)
		for _, b := range beacons {
			b.back(t, time.Now())
		}
		before := statusOf(t, p.a).Peers[0]
		change()
		began := time.Now()
		p.awaitRoutes(t)
		back := time.Now()
		for _, b := range beacons {
			if at := b.back(t, began); at.After(back) {
				back = at
			}
		}
		// A way out that is back is noticed with the next look at the host.
		for deadline := time.Now().Add(within); statusOf(t, p.a).Peers[0].State != status.PeerEstablished && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
		host, s := statusOf(t, p.a).Host, statusOf(t, p.a).Peers[0]
		for kind, n := range host.Repaired {
			repaired[kind] += n
		}
		lost := s.Handshakes - before.Handshakes
		leaked := inClear(uplink) - clear
		took := back.Sub(began)
		lines = append(lines, fmt.Sprintf("%-28s %11d ms %14d %9d", name, took.Milliseconds(), leaked, lost))
		if late := took - beside.pause(began, back); kind == atOnce && late > time.Second {
			t.Errorf("%s: put right after %v, beside %v in which the machine stood still", name, late, took-late)
		}
		if leaked > 0 || lost > 0 || s.State != status.PeerEstablished {
			t.Errorf("%s: %d packets in clear text, %d new handshakes, peer %s", name, leaked, lost, s.State)
		}
		clear += leaked
	}
	for _, e := range []struct {
		name   string
		change func(netlink.Link) error
	}{
		{"device down", netlink.LinkSetDown},
		{"device down and up", func(l netlink.Link) error { return errors.Join(netlink.LinkSetDown(l), netlink.LinkSetUp(l)) }},
		{"device deleted", netlink.LinkDel},
		{"MTU set to 1000", func(l netlink.Link) error { return netlink.LinkSetMTU(l, 1000) }},
		{"route to IPv4 network deleted", route(farNet4, unix.RTN_UNICAST)},
		{"route to IPv6 network deleted", route(farNet6, unix.RTN_UNICAST)},
		{"route to IPv4 peer deleted", route(innerB4+"/32", unix.RTN_UNICAST)},
		{"route to IPv6 peer deleted", route(innerB6+"/128", unix.RTN_UNICAST)},
		{"IPv4 guard deleted", route(farNet4, unix.RTN_UNREACHABLE)},
		{"IPv6 guard deleted", route(farNet6, unix.RTN_UNREACHABLE)},
		{"IPv4 address deleted", address("10.77.0.1/24")},
		{"IPv6 address deleted", address("fd77::1/64")},
	} {
		event(e.name, atOnce, func() { p.onA(t, e.change) })
	}
	both := func(netlink.Link) error {
		var failed error
		for _, prefix := range []string{farNet4, farNet6, innerB4 + "/32", innerB6 + "/128"} {
			failed = errors.Join(failed, deleteRoute(prefix, unix.RTN_UNREACHABLE), deleteRoute(prefix, unix.RTN_UNICAST))
		}
		return failed
	}
	event("guards and routes deleted", atOnce, func() { p.onA(t, both) })
	event("all foreign routes deleted", atOnce, func() { p.onA(t, deleteForeignRoutes) })
	// A wider route than the tunnel's leads out of the uplink as well.
	var wide []string
	for i, prefix := range []string{"10.0.0.0/8", "fd00::/8"} {
		wide = append(wide, prefix)
		run(t, p.A, "ip", "route", "add", prefix, "via", p.Left.B.Addrs()[i].String())
	}
	event("both, beside wider routes", atOnce, func() { p.onA(t, both) })
	for _, prefix := range wide {
		run(t, p.A, "ip", "route", "del", prefix)
	}
	event("uplink lost and back", contested, func() {
		p.Left.A.Down()
		time.Sleep(100 * time.Millisecond) // what was under way is gone
		p.Left.A.Up()
		p.Left.A.AddAddress(netlab.Prefixes("fd01::2/64")...)
		p.A.DefaultVia(p.Left.B.Addrs()...)
	})
	// deleted deletes again and again, until that was noticed long ago.
	deleted := func(kind int, last time.Duration) {
		var since time.Time
		for deadline := time.Now().Add(within); since.IsZero() || time.Since(since) < last; time.Sleep(100 * time.Millisecond) {
			p.onA(t, route(farNet4, kind))
			if kind == unix.RTN_UNREACHABLE {
				p.awaitGuard(t, farNet4)
			}
			if since.IsZero() && len(statusOf(t, p.a).Host.Contested) > 0 {
				since = time.Now()
			} else if time.Now().After(deadline) {
				t.Fatal("not noticed")
			}
		}
	}
	event("route deleted on and on", contested, func() { deleted(unix.RTN_UNICAST, 3*time.Second) })
	// The guard is put back all the same, and there when the route goes.
	event("guard deleted on and on", contested, func() {
		deleted(unix.RTN_UNREACHABLE, 1500*time.Millisecond)
		p.onA(t, route(farNet4, unix.RTN_UNICAST))
	})
	if !strings.Contains(p.a.Log(), "another program keeps changing what belongs to the tunnel") {
		t.Error("no warning of the other manager")
	}
	for _, kind := range []string{"device", "up", "mtu", "address", "route", "guard"} {
		if repaired[kind] == 0 {
			t.Errorf("no %s counted as repaired: %v", kind, repaired)
		}
	}
	if missed := uplink.Missed(); missed > 0 {
		t.Errorf("%d packets were not captured", missed)
	}
	t.Log("\n" + strings.Join(lines, "\n"))
}
