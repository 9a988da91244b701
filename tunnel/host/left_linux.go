package host

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Rules outlive a process that is killed, and one that is to leave its guards. The
// next process for the same device takes them over, and those of other tunnels stay
// as they are, whether these run or not. The first rule of each set names the device;
// so what belongs to whom is known as long as the rules are there, and no longer.

// isOwn reports whether a rule is one of Fathom's, of this tunnel or of another.
func isOwn(r netlink.Rule) bool { return r.Protocol == RuleProtocol }

// device returns the name of the device whose rules begin with this one, empty if
// none do.
func device(r *netlink.Rule) string {
	if !isOwn(*r) || r.Table != unix.RT_TABLE_UNSPEC || r.IifName == "lo" {
		return ""
	}
	return r.IifName
}

// diverts reports whether a rule is one like ours that names the table.
func diverts(r *netlink.Rule) bool { return isOwn(*r) && r.Invert && r.Table != unix.RT_TABLE_UNSPEC }

// guards reports whether a rule is one like ours that is the last of its set.
func guards(r *netlink.Rule) bool { return isOwn(*r) && r.Invert && r.Table == unix.RT_TABLE_UNSPEC }

// ofDefault reports whether a rule is one like ours of a default route.
func ofDefault(r netlink.Rule) bool { return diverts(&r) || guards(&r) }

// split parts the rules of the host, which are in their order, into those that a
// process for the device has left, and all others.
func split(rules []netlink.Rule, name string) (left, others []netlink.Rule) {
	within := make(map[int]bool) // a set for the device, by family
	for _, r := range rules {
		if whose := device(&r); whose != "" {
			within[r.Family] = whose == name
		}
		if !isOwn(r) || !within[r.Family] {
			others = append(others, r)
			continue
		}
		left = append(left, r)
		within[r.Family] = !guards(&r)
	}
	return left, others
}

// others returns the rules of the host but those that a process of this tunnel has
// left, which become the stale ones. Call it while the Link has added none itself.
func (l *Link) others() (rest []netlink.Rule, err error) {
	rules, err := l.rules()
	if err != nil {
		return nil, err
	}
	l.policy.stale, rest = split(rules, l.name)
	return rest, nil
}

// removeStale removes the stale rules, and the guards in their tables, except what we
// want as well. Those tables tell which prefixes the process had: the guards beside
// their routes go, too, unless another tunnel has the prefix now.
func (l *Link) removeStale() error {
	if len(l.policy.stale) == 0 {
		return nil
	}
	tables := make(map[int]bool)
	for _, r := range l.policy.stale {
		if r.Table != unix.RT_TABLE_UNSPEC && r.Table != unix.RT_TABLE_MAIN && r.Table != l.policy.table {
			tables[r.Table] = true
		}
		if l.wants(&r) {
			continue
		}
		if err := l.handle.RuleDel(&r); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove rule %d, which a killed process has left: %w", r.Priority, err)
		}
	}
	others, err := l.guardedByOthers()
	if err != nil {
		return err
	}
	for table := range tables {
		for _, prefix := range l.flush(table) {
			if i := guardIn(prefix, mainTable); !l.wanted.guards[i] && !others[prefix] {
				_ = l.handle.RouteDel(guardRoute(i))
			}
		}
	}
	l.policy.stale = nil
	l.revalidateMark()
	return nil
}

// guardedByOthers returns the prefixes that the second lines of other tunnels guard.
func (l *Link) guardedByOthers() (map[netip.Prefix]bool, error) {
	rules, err := l.rules()
	if err != nil {
		return nil, err
	}
	prefixes, tables := make(map[netip.Prefix]bool), make(map[int]bool)
	_, others := split(rules, l.name)
	for _, r := range others {
		if !isOwn(r) || r.Table == unix.RT_TABLE_UNSPEC || r.Table == unix.RT_TABLE_MAIN || tables[r.Table] {
			continue
		}
		tables[r.Table] = true
		routes, err := l.routesIn(r.Table)
		if err != nil {
			return nil, err
		}
		for _, route := range routes {
			if prefix, ok := prefixOf(route.Dst, route.Family); ok && isGuard(&route) {
				prefixes[prefix] = true
			}
		}
	}
	return prefixes, nil
}
