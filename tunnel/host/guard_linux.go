package host

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A guard makes the tunnel fail closed: a route of type unreachable to an
// allowed prefix, with the metric next to that of the route into the device.
// While the latter is there the guard does nothing; when somebody takes it away,
// or the device with it, a packet for the prefix is refused and does not leave by
// a wider route, in clear text. A route to a longer prefix goes before a guard as
// it goes before our own. Where the guard goes with the route, there are others:
// secondline_linux.go.

// GuardProtocol is the protocol of the guards in the routing table (rtm_protocol),
// by which an administrator can tell them: ip route show proto 70.
const GuardProtocol = 70

// Metrics of our routes. The kernel takes IPv4's from 0, and gives IPv6 routes
// without one IP6_RT_PRIO_USER.
const (
	metric4 = 0
	metric6 = 1024
)

func metricOf(family int) int {
	if family == netlink.FAMILY_V6 {
		return metric6
	}
	return metric4
}

// guardRoute returns the route that a guard is.
func guardRoute(i item) *netlink.Route {
	return &netlink.Route{
		Dst: ipNet(i.prefix), Table: i.number, Type: unix.RTN_UNREACHABLE,
		Priority: metricOf(familyOf(i.prefix.Addr())) + 1, Protocol: GuardProtocol,
	}
}

func isGuard(r *netlink.Route) bool {
	return r.Type == unix.RTN_UNREACHABLE && r.Protocol == GuardProtocol
}

// Guard keeps packets for a prefix from leaving by another way than a route of
// the Link, until Close. One that was left by a killed process is taken over.
func (l *Link) Guard(prefix netip.Prefix) error {
	return l.guard(guardIn(prefix, l.tableOf(prefix)))
}

func (l *Link) guard(i item) error {
	l.wanted.set(func() { l.wanted.guards[i] = true })
	switch err := l.applyGuard(i); {
	case err == nil || errors.Is(err, errRight):
		l.seen.guards[i] = true
	case !isGone(err):
		return err
	}
	return nil
}

// applyGuard adds a guard. One that is there is errRight.
func (l *Link) applyGuard(i item) error {
	if err := l.handle.RouteAdd(guardRoute(i)); errors.Is(err, unix.EEXIST) {
		return errRight
	} else if err != nil {
		return fmt.Errorf("add %s: %w", i, withoutFamily(err, familyOf(i.prefix.Addr())))
	}
	return nil
}
