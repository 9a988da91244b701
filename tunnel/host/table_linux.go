package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// This file chooses the tables and the mark that the rules name: rules_linux.go.

// firstTable is the number of the first table that is tried, and of the mark that
// goes with it: that of the port, which is easy to remember.
const firstTable = 4500

// policy is the rules of a Link and what they go by.
type policy struct {
	table int // of the default routes, 0: there are none
	sets  []*ruleSet
	stale []netlink.Rule // of a process of this tunnel that is gone; Divert replaces them
}

// choose finds a table and a mark for the default routes.
func (l *Link) choose(config Config) error {
	l.mark, l.table = config.Mark, config.Table
	if len(config.Defaults) == 0 {
		return nil
	}
	others, err := l.others()
	if err != nil {
		return err
	}
	if l.mark, err = sharedMark(others, config.Mark); err != nil {
		return err
	}
	if l.mark == 0 {
		if l.mark = freeMark(others); l.mark == 0 {
			return errNoMark
		}
	}
	first := firstTable
	if config.Mark > 0 && config.Mark < 1<<31 {
		first = int(config.Mark)
	}
	if l.policy.table, err = l.freeTable(first, others); err != nil {
		return err
	}
	for _, prefix := range config.Defaults {
		l.policy.sets = append(l.policy.sets, &ruleSet{family: familyOf(prefix.Addr()), end: mainPriority})
	}
	return nil
}

// freeTable returns the number of the first free table from a number on.
func (l *Link) freeTable(number int, others []netlink.Rule) (int, error) {
	for {
		if free, err := l.isFree(number, others); err != nil || free {
			return number, err
		}
		number++
	}
}

var (
	errNoMark     = errors.New("the rules of the host leave no mark free for the tunnel's packets: set tunnel.fwmark")
	errOtherMarks = errors.New("the default routes of two tunnels would catch each other's packets: give both the same tunnel.fwmark")
)

// sharedMark returns the mark of the other tunnels with a default route, whether
// they run or have left their guards; without any that of the configuration. The
// tunnels share it, so that none catches the packets of another.
func sharedMark(others []netlink.Rule, configured uint32) (uint32, error) {
	mark := configured
	for _, r := range others {
		if !diverts(&r) && !guards(&r) {
			continue
		}
		if mark == 0 {
			mark = r.Mark
		}
		if mark != r.Mark {
			return 0, fmt.Errorf("%w; the other has %#x, this one %#x", errOtherMarks, r.Mark, mark)
		}
	}
	return mark, nil
}

// triedMarks bounds the search for a free mark. Rules may look at few of its bits.
const triedMarks = 1 << 17

// freeMark returns the first mark that no rule of the host tells from none, 0 if
// there is none.
func freeMark(others []netlink.Rule) uint32 {
	for mark := uint32(firstTable); mark < firstTable+triedMarks; mark++ {
		if !slices.ContainsFunc(others, func(r netlink.Rule) bool { return heeds(&r, mark) }) {
			return mark
		}
	}
	return 0
}

// heeds reports whether a rule tells packets with the mark from those without any.
func heeds(r *netlink.Rule, mark uint32) bool {
	mask := ^uint32(0)
	if r.Mask != nil {
		mask = *r.Mask
	} else if r.Mark == 0 {
		mask = 0 // it looks at no mark
	}
	return (mark&mask == r.Mark&mask) != (r.Mark&mask == 0)
}

// isFree reports whether a number can be that of our table. Guards that were left
// with stale rules are no hindrance, nor are routes into a device that was taken over.
func (l *Link) isFree(number int, others []netlink.Rule) (bool, error) {
	if number >= unix.RT_TABLE_COMPAT && number <= unix.RT_TABLE_LOCAL || number == l.policy.table {
		return false, nil
	}
	if slices.ContainsFunc(others, func(r netlink.Rule) bool { return r.Table == number }) {
		return false, nil
	}
	left := slices.ContainsFunc(l.policy.stale, func(r netlink.Rule) bool { return r.Table == number })
	routes, err := l.routesIn(number)
	for _, r := range routes {
		if !left || !isGuard(&r) && r.LinkIndex != l.link.Attrs().Index {
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
			err = l.eachRoute(familyTable{family, table}, netlink.Route{}, 0, func(r *netlink.Route) { of = append(of, *r) })
			return of, err
		})
		if err != nil {
			return nil, fmt.Errorf("routes in table %d: %w", table, err)
		}
		list = append(list, of...)
	}
	return list, nil
}

// flush removes the guards and the routes into the device from a table, except guards
// that are wanted. It returns the prefixes of the guards that it has removed.
func (l *Link) flush(table int) (guarded []netip.Prefix) {
	routes, _ := l.routesIn(table)
	for _, r := range routes {
		prefix, ok := prefixOf(r.Dst, r.Family)
		if ok && isGuard(&r) {
			if l.wanted.guards[guardIn(prefix, table)] {
				continue
			}
			guarded = append(guarded, prefix)
		}
		if isGuard(&r) || r.LinkIndex == l.link.Attrs().Index {
			_ = l.handle.RouteDel(&r)
		}
	}
	return guarded
}
