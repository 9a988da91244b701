package host

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// This file reads the state of what a Link owns. What cannot be read stays as it
// was seen last, so that one failure does not keep the rest from being put right.

// restFactor bounds the share of a CPU that looking at all routes takes, where
// another program never rests and the host has many: it rests for this many times
// as long as it took.
const restFactor = 9

// look brings up to date what costs the same on every host: the rules, the
// interface and its addresses. Single routes in doubt count as missing: the attempt
// to add one tells.
func (l *Link) look() error {
	for i := range l.doubt.guards {
		delete(l.seen.guards, i)
	}
	for prefix := range l.doubt.routes {
		delete(l.seen.routes, prefix)
	}
	l.doubt.guards, l.doubt.routes = nil, nil
	rules, err := l.ownRules()
	if err == nil {
		l.seen.rules = rules
	}
	return errors.Join(err, l.lookAtDevice())
}

func (l *Link) lookAtDevice() error {
	if l.gone {
		return nil
	}
	// The kernel answers this when the change under way is complete: taking the
	// interface down, or its last IPv4 address, removes routes without a word.
	index := l.link.Attrs().Index
	link, err := l.handle.LinkByIndex(index)
	if missing := (netlink.LinkNotFoundError{}); errors.As(err, &missing) || errors.Is(err, unix.ENODEV) {
		l.gone, l.seen.exists = true, false
		l.wanted.set(func() { l.wanted.index = 0 })
		return nil
	} else if err != nil {
		return fmt.Errorf("look at %s: %w", l.name, err)
	}
	s := &l.seen
	s.exists, s.up, s.mtu = true, link.Attrs().RawFlags&unix.IFF_UP != 0, link.Attrs().MTU
	l.doubt.device = l.doubt.device || !s.up
	found, err := consistent(func() ([]event, error) { return l.addresses(index) })
	if err != nil {
		return fmt.Errorf("addresses of %s: %w", l.name, err)
	}
	s.addresses = make(map[netip.Prefix]bool)
	for _, e := range found {
		s.addresses[e.prefix] = true
	}
	return nil
}

// addresses returns those of an interface, as the events that tell of them. The
// request is made by hand since package netlink asks for those of all interfaces, of
// which a host may have many, and which others change.
func (l *Link) addresses(index int) (list []event, err error) {
	request := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: l.strict}
	header := nl.NewIfAddrmsg(unix.AF_UNSPEC)
	header.Index = uint32(index)
	request.AddData(header)
	answers, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	if err != nil {
		return nil, err
	}
	for _, data := range answers {
		if e := addressEvent(&syscall.NetlinkMessage{Data: data}); e.index == index && e.prefix.IsValid() {
			list = append(list, e)
		}
	}
	return list, nil
}

// lookAtRoutes brings up to date what takes long on a host with many routes: the
// guards if anything is in doubt, and the routes into the interface.
func (l *Link) lookAtRoutes(now time.Time) error {
	began := time.Now()
	defer func() { l.free = now.Add((restFactor + 1) * time.Since(began)) }()
	if l.doubt.all {
		guards, err := consistent(l.guards)
		if err != nil {
			return err
		}
		l.seen.guards = guards
	}
	if !l.gone {
		routes, err := consistent(l.routes)
		if err != nil {
			return err
		}
		l.seen.routes = routes
	}
	l.doubt.all, l.doubt.device = false, false
	return nil
}

// routes returns the routes into the interface that have the table and the metric
// of ours.
func (l *Link) routes() (map[netip.Prefix]Route, error) {
	routes := make(map[netip.Prefix]Route)
	tables := make(map[familyTable]bool)
	for prefix := range l.wanted.routes {
		tables[familyTable{familyOf(prefix.Addr()), l.tableOf(prefix)}] = true
	}
	err := l.dump(tables, netlink.Route{LinkIndex: l.link.Attrs().Index}, netlink.RT_FILTER_OIF, func(prefix netip.Prefix, r *netlink.Route) {
		if r.Priority == metricOf(r.Family) && r.Table == l.tableOf(prefix) {
			routes[prefix] = Route{Prefix: prefix, MTU: r.MTU, AdvMSS: r.AdvMSS}
		}
	})
	return routes, err
}

// guards returns the guards in the tables of ours.
func (l *Link) guards() (map[item]bool, error) {
	guards, tables := make(map[item]bool), make(map[familyTable]bool)
	for i := range l.wanted.guards {
		tables[familyTable{familyOf(i.prefix.Addr()), i.number}] = true
	}
	filter := netlink.Route{Type: unix.RTN_UNREACHABLE, Protocol: GuardProtocol}
	err := l.dump(tables, filter, netlink.RT_FILTER_TYPE|netlink.RT_FILTER_PROTOCOL, func(prefix netip.Prefix, r *netlink.Route) {
		if r.Priority == metricOf(r.Family)+1 {
			guards[guardIn(prefix, r.Table)] = true
		}
	})
	return guards, err
}

// dump calls f for the routes in some tables that match the filter.
func (l *Link) dump(tables map[familyTable]bool, filter netlink.Route, mask uint64, f func(netip.Prefix, *netlink.Route)) error {
	for of := range tables {
		err := l.eachRoute(of, filter, mask, func(r *netlink.Route) {
			if prefix, ok := prefixOf(r.Dst, of.family); ok {
				f(prefix, r)
			}
		})
		if err != nil {
			return fmt.Errorf("routes of the host: %w", err)
		}
	}
	return nil
}

// eachRoute calls f for the routes of a table that match the filter. A host without
// the family, or without such a table yet, has none.
func (l *Link) eachRoute(of familyTable, filter netlink.Route, mask uint64, f func(*netlink.Route)) error {
	filter.Table = of.table
	err := l.dumps.RouteListFilteredIter(of.family, &filter, mask|netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		f(&r)
		return true
	})
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// inPlace returns the route that has the prefix, the table and the metric of ours,
// nil if it cannot be told: it is not ours then. The kernel has no request for
// one entry of a table. So it is asked which entry the packets to some addresses
// take, and only where that is another, all routes into the interface are looked
// at.
func (l *Link) inPlace(prefix netip.Prefix) (*netlink.Route, error) {
	first := prefix.Masked().Addr()
	for _, addr := range []netip.Addr{first, first.Next().Next()} { // the next but one is rarely the host's own
		if !prefix.Contains(addr) {
			continue
		}
		entries, err := l.handle.RouteGetWithOptions(addr.AsSlice(), &netlink.RouteGetOptions{FIBMatch: true})
		if err != nil || len(entries) != 1 {
			continue
		}
		r := &entries[0]
		if found, ok := prefixOf(r.Dst, familyOf(prefix.Addr())); ok && found == prefix && r.Table == l.tableOf(prefix) && r.Priority == metricOf(familyOf(prefix.Addr())) {
			return r, nil
		}
	}
	routes, err := consistent(l.routes)
	if ours, ok := routes[prefix]; err == nil && ok {
		return &netlink.Route{LinkIndex: l.link.Attrs().Index, MTU: ours.MTU, AdvMSS: ours.AdvMSS}, nil
	}
	return nil, err
}

// familyTable is a routing table of one address family.
type familyTable struct{ family, table int }

// mostDumps is how often a dump is tried that others interrupt by their changes.
const mostDumps = 10

// consistent repeats a dump until nothing has changed during it: what one holds
// otherwise may lack what was there all the time.
func consistent[T any](dump func() (T, error)) (list T, err error) {
	for range mostDumps {
		if list, err = dump(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return list, err
		}
	}
	return list, err
}
