package host

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Restore compares the host with the wanted state and mends the differences, within
// its back-off. It returns reports to log, and when to call it again even if
// nothing changes (zero: never). It costs a few requests to the kernel, of
// which those for routes grow with the main table.
func (l *Link) Restore(now time.Time) (told []Repair, next time.Time) {
	remade := true
	for remade {
		remade = false
		actual, err := l.look()
		if err != nil {
			return append(told, Repair{What: "device", Err: err}), now.Add(maxRest)
		}
		var due []item
		due, next = l.plan(l.wanted.amiss(&actual), now)
		for _, i := range due {
			err := l.put(i)
			remade = remade || i.kind == KindDevice && err == nil
			if errors.Is(err, errElsewhere) {
				if route := l.displacing(i.prefix); l.displace(i.prefix, route, now) {
					told = append(told, Repair{What: i.String(), Displaced: route})
				}
			} else if repair, tell := l.outcome(i, err, now); tell {
				told = append(told, repair)
			}
			if b := l.backoffs[i]; b.failed {
				next = earlier(next, b.attempt.Add(b.rest))
			}
		}
	}
	return told, next
}

// earlier returns the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// put puts one thing right.
func (l *Link) put(i item) error {
	switch i.kind {
	case KindGuard:
		return l.applyGuard(i.prefix)
	case KindRule:
		return l.applyRule(i)
	case KindDevice:
		return l.remake()
	case KindMTU:
		return l.applyMTU()
	case KindUp:
		return l.applyUp()
	case KindAddress:
		return l.applyAddress(i.prefix)
	}
	route, _ := l.wanted.route(i.prefix)
	return l.applyRoute(route, false)
}

// remake makes a deleted interface again.
func (l *Link) remake() error {
	if l.config.Remake == nil {
		return fmt.Errorf("%s: %w", l.name, ErrNoDevice)
	}
	if err := l.config.Remake(); err != nil {
		return err
	}
	return l.find()
}

// displacing describes the route that is in place of ours.
func (l *Link) displacing(prefix netip.Prefix) string {
	found, err := l.routesTo(ipNet(prefix), l.tableOf(prefix))
	if err != nil || len(found) == 0 {
		return prefix.String()
	}
	words := []string{prefix.String()}
	if r := found[0]; r.Gw != nil {
		words = append(words, "via", r.Gw.String())
	}
	if link, err := l.handle.LinkByIndex(found[0].LinkIndex); err == nil {
		words = append(words, "dev", link.Attrs().Name)
	}
	return strings.Join(words, " ")
}

// look asks the kernel for the state of what the Link owns.
func (l *Link) look() (s actual, err error) {
	if s.guards, err = l.guards(); err != nil {
		return s, err
	}
	if s.rules, err = l.ownRules(); err != nil || l.gone {
		return s, err
	}
	// The kernel answers this when the change under way is complete: taking the
	// interface down, or its last IPv4 address, removes routes without a word.
	index := l.link.Attrs().Index
	link, err := l.handle.LinkByIndex(index)
	if missing := (netlink.LinkNotFoundError{}); errors.As(err, &missing) || errors.Is(err, unix.ENODEV) {
		l.gone = true
		l.wanted.set(func() { l.wanted.index = 0 })
		return s, nil
	} else if err != nil {
		return s, fmt.Errorf("look at %s: %w", l.name, err)
	}
	s.exists, s.up, s.mtu = true, link.Attrs().RawFlags&unix.IFF_UP != 0, link.Attrs().MTU
	if s.addresses, err = l.addresses(link); err != nil {
		return s, err
	}
	s.routes, err = l.routes(index)
	return s, err
}

// addresses returns those of the interface.
func (l *Link) addresses(link netlink.Link) (map[netip.Prefix]bool, error) {
	list, err := l.handle.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", l.name, err)
	}
	addresses := make(map[netip.Prefix]bool, len(list))
	for _, a := range list {
		if prefix, ok := prefixOf(a.IPNet, 0); ok {
			addresses[prefix] = true
		}
	}
	return addresses, nil
}

// routes returns the routes into the interface that have the table and the metric
// of ours.
func (l *Link) routes(index int) (map[netip.Prefix]Route, error) {
	routes := make(map[netip.Prefix]Route)
	err := l.dump(netlink.Route{LinkIndex: index}, netlink.RT_FILTER_OIF, func(prefix netip.Prefix, r *netlink.Route) {
		if r.Priority == metricOf(r.Family) {
			routes[prefix] = Route{Prefix: prefix, MTU: r.MTU, AdvMSS: r.AdvMSS}
		}
	})
	return routes, err
}

// guards returns the prefixes that have a guard.
func (l *Link) guards() (map[netip.Prefix]bool, error) {
	guards := make(map[netip.Prefix]bool)
	filter := netlink.Route{Type: unix.RTN_UNREACHABLE, Protocol: GuardProtocol}
	err := l.dump(filter, netlink.RT_FILTER_TYPE|netlink.RT_FILTER_PROTOCOL, func(prefix netip.Prefix, r *netlink.Route) {
		guards[prefix] = guards[prefix] || r.Priority == metricOf(r.Family)+1
	})
	return guards, err
}

// dump calls f for the routes that match the filter, in the tables of ours.
func (l *Link) dump(filter netlink.Route, mask uint64, f func(netip.Prefix, *netlink.Route)) error {
	for of := range l.tables() {
		filter.Table = of.table
		err := l.dumps.RouteListFilteredIter(of.family, &filter, mask|netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
			if prefix, ok := prefixOf(r.Dst, of.family); ok && l.tableOf(prefix) == of.table {
				f(prefix, &r)
			}
			return true
		})
		switch {
		case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT):
			// The host lacks the family, or has no such table yet.
		case err != nil:
			return fmt.Errorf("routes of the host: %w", err)
		}
	}
	return nil
}

// familyTable is a routing table of one address family.
type familyTable struct{ family, table int }

// tables returns where the routes and the guards are.
func (l *Link) tables() map[familyTable]bool {
	tables := make(map[familyTable]bool)
	for prefix := range l.wanted.routes {
		tables[familyTable{familyOf(prefix), l.tableOf(prefix)}] = true
	}
	for prefix := range l.wanted.guards {
		tables[familyTable{familyOf(prefix), l.tableOf(prefix)}] = true
	}
	return tables
}
