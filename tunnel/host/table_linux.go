package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// This file chooses the table and the mark that the rules name: rules_linux.go.

// firstTable is the number of the first table that is tried, and of the mark that
// goes with it: that of the port, which is easy to remember.
const firstTable = 4500

// policy is what leads default routes into the device. Without default routes it is
// empty.
type policy struct {
	table    int
	families []*ruleSet
	stale    []netlink.Rule // of a process that is gone; Divert replaces them
}

// choose finds a table and a mark for the default routes. Where a process that is
// gone has left rules, they are taken over if they fit.
func (l *Link) choose(config Config) error {
	l.mark, l.table = config.Mark, config.Table
	rules, err := l.others()
	if err != nil || len(config.Defaults) == 0 {
		return errors.Join(err, l.removeStale())
	}
	number := firstTable
	if config.Mark > 0 && config.Mark < 1<<31 {
		number = int(config.Mark)
	}
	for free := false; !free; number++ {
		if free, err = l.isFree(number, rules); err != nil {
			return err
		} else if free {
			break
		}
	}
	l.policy.table = number
	if l.mark == 0 {
		l.mark = uint32(number)
	}
	for _, prefix := range config.Defaults {
		l.policy.families = append(l.policy.families, &ruleSet{family: familyOf(prefix)})
	}
	return nil
}

// isFree reports whether a number can be that of our table and, unless the
// configuration has another, of our mark. Guards that were left with stale rules
// are no hindrance.
func (l *Link) isFree(number int, rules []netlink.Rule) (bool, error) {
	if number >= unix.RT_TABLE_COMPAT && number <= unix.RT_TABLE_LOCAL {
		return false, nil
	}
	for _, r := range rules {
		if r.Table == number || l.mark == 0 && r.Mark == uint32(number) {
			return false, nil
		}
	}
	left := slices.ContainsFunc(l.policy.stale, func(r netlink.Rule) bool { return r.Table == number })
	routes, err := l.routesIn(number)
	for _, r := range routes {
		if !left || !isGuard(&r) {
			return false, nil
		}
	}
	return err == nil, err
}

// tableOf returns the table of the routes to a prefix.
func (l *Link) tableOf(prefix netip.Prefix) int {
	switch {
	case prefix.Bits() == 0 && l.policy.table != 0:
		return l.policy.table
	case l.table != 0:
		return l.table
	}
	return unix.RT_TABLE_MAIN
}

// Mark returns the fwmark that our sockets are to have, 0 if they need none.
func (l *Link) Mark() uint32 { return l.mark }

// DefaultTable returns the table of the default routes, 0 if there are none.
func (l *Link) DefaultTable() int { return l.policy.table }

// routesIn returns the routes in a table, of both families.
func (l *Link) routesIn(table int) (list []netlink.Route, err error) {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		of, err := consistent(func() (of []netlink.Route, err error) {
			err = l.dumps.RouteListFilteredIter(family, &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
				of = append(of, r)
				return true
			})
			return of, err
		})
		switch {
		case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT):
			// The host lacks the family, or has no such table yet.
		case err != nil:
			return nil, fmt.Errorf("routes in table %d: %w", table, err)
		}
		list = append(list, of...)
	}
	return list, nil
}

// flush removes the guards and the routes into the device from a table.
func (l *Link) flush(table int) {
	routes, _ := l.routesIn(table)
	for _, r := range routes {
		if isGuard(&r) || r.LinkIndex == l.link.Attrs().Index {
			_ = l.handle.RouteDel(&r)
		}
	}
}
