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

// Restore compares what the host has with what is wanted, and puts right what is
// not, within its back-off. It returns what to tell, and when to call it again
// though nothing changes (zero: never). It costs a few requests to the kernel, of
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
	found, err := l.routesTo(ipNet(prefix))
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
	s.guards, err = l.guards()
	if err != nil || l.link == nil {
		return s, err
	}
	index := l.link.Attrs().Index
	link, err := l.handle.LinkByIndex(index)
	if missing := (netlink.LinkNotFoundError{}); errors.As(err, &missing) || errors.Is(err, unix.ENODEV) {
		l.link = nil
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

// routes returns the main table's routes into the interface that have the metric
// of ours.
func (l *Link) routes(index int) (map[netip.Prefix]Route, error) {
	routes := make(map[netip.Prefix]Route)
	filter := &netlink.Route{LinkIndex: index, Table: unix.RT_TABLE_MAIN}
	err := l.dump(filter, netlink.RT_FILTER_OIF|netlink.RT_FILTER_TABLE, func(prefix netip.Prefix, r *netlink.Route) {
		if r.Priority == metricOf(r.Family) {
			routes[prefix] = Route{Prefix: prefix, MTU: r.MTU, AdvMSS: r.AdvMSS}
		}
	})
	return routes, err
}

// guards returns the prefixes that have a guard.
func (l *Link) guards() (map[netip.Prefix]bool, error) {
	guards := make(map[netip.Prefix]bool)
	if len(l.wanted.guards) == 0 {
		return guards, nil
	}
	filter := &netlink.Route{Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNREACHABLE, Protocol: GuardProtocol}
	err := l.dump(filter, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE|netlink.RT_FILTER_PROTOCOL, func(prefix netip.Prefix, r *netlink.Route) {
		guards[prefix] = guards[prefix] || r.Priority == metricOf(r.Family)+1
	})
	return guards, err
}

// dump calls f for the routes of both families that match the filter.
func (l *Link) dump(filter *netlink.Route, mask uint64, f func(netip.Prefix, *netlink.Route)) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		err := l.dumps.RouteListFilteredIter(family, filter, mask, func(r netlink.Route) bool {
			if prefix, ok := prefixOf(r.Dst, family); ok {
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
