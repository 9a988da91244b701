package host

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Disown takes from an interface that a process before has handed over what its
// configuration had and ours has not: the addresses, and the routes that are as ours
// would be. Call it when all routes are wanted. Link-local addresses stay, since the
// kernel makes them.
func (l *Link) Disown() error {
	if err := l.lookAtDevice(); err != nil || l.gone {
		return err
	}
	wanted := make(map[netip.Prefix]bool)
	for _, prefix := range l.config.Addresses {
		wanted[prefix] = true
	}
	var failed error
	for prefix := range l.seen.addresses {
		if wanted[prefix] || prefix.Addr().IsLinkLocalUnicast() {
			continue
		}
		if err := l.handle.AddrDel(l.link, &netlink.Addr{IPNet: ipNet(prefix)}); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			failed = errors.Join(failed, fmt.Errorf("remove address %s of %s, which is not configured any more: %w", prefix, l.name, err))
		}
	}
	routes, err := consistent(l.inherited)
	if err != nil {
		return errors.Join(failed, err)
	}
	for i := range routes {
		// ESRCH: it has gone with an address.
		if err := l.handle.RouteDel(&routes[i]); err != nil && !errors.Is(err, unix.ESRCH) {
			failed = errors.Join(failed, fmt.Errorf("remove route %s, which is not configured any more: %w", routes[i].Dst, err))
		}
	}
	return failed
}

// inherited returns the routes into the interface that are like ours, and not wanted.
func (l *Link) inherited() (list []netlink.Route, err error) {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		for _, table := range []int{mainTable, l.table} {
			if table == 0 {
				continue
			}
			filter := netlink.Route{LinkIndex: l.link.Attrs().Index, Protocol: unix.RTPROT_STATIC}
			err := l.eachRoute(familyTable{family, table}, filter, netlink.RT_FILTER_OIF|netlink.RT_FILTER_PROTOCOL, func(r *netlink.Route) {
				prefix, ok := prefixOf(r.Dst, family)
				if _, wanted := l.wanted.route(prefix); !ok || r.Priority != metricOf(family) || wanted && r.Table == l.tableOf(prefix) {
					return
				}
				r.Dst = ipNet(prefix) // a default route has none
				list = append(list, *r)
			})
			if err != nil {
				return nil, fmt.Errorf("routes of the host: %w", err)
			}
		}
	}
	return list, nil
}
