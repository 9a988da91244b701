package host

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A default route into the tunnel must not catch the tunnel's own packets, and not
// those for which the host has a better route. So it stands in a table of its own,
// and rules say who looks there, for each family in this order:
//
//	from LISTEN ipproto udp sport PORT nop
//	from LISTEN iif lo ipproto udp sport PORT lookup main
//	lookup main suppress_prefixlength 0
//	not fwmark MARK lookup TABLE
//	not fwmark MARK unreachable
//
// The last but one sends all packets into the tunnel except those with the mark of
// our sockets, and the one before it takes out those for which the main table has
// another route than its default route. The last is its guard: where somebody
// removes it, packets are refused until it is back.
//
// The first two are for IPv4 alone. A strict rp_filter asks by which way an answer
// to what it receives would leave, and knows the ports of that answer but no mark.
// iif lo keeps packets of other hosts, which happen to come from the same port, from
// leaving beside the tunnel. With it in all rules the kernel would not look at the
// ports of what it receives at all; for the first rule, which does nothing, it does.
//
// They stand right before the rule for the main table: rules of the administrator
// go before them, as they go before the main table.

// RuleProtocol is the protocol of our rules (FRA_PROTOCOL), by which an
// administrator can tell them, and a Link those that a killed process has left.
const RuleProtocol = GuardProtocol

const (
	// mainPriority is that of the kernel's own rule for the main table.
	mainPriority = 32766
	// mostRules is how many rules a family has at most. The last but one names the
	// table.
	mostRules = 5
)

// ruleSet is the rules of one family, in the order of their priorities.
type ruleSet struct {
	family int
	rules  []*netlink.Rule
}

// Divert adds the rules by which the default routes, which are there already, take
// effect. listen is where our sockets are.
func (l *Link) Divert(listen []netip.AddrPort) error {
	if len(l.policy.families) == 0 {
		return nil
	}
	others, err := l.others()
	if err != nil {
		return err
	}
	rules := make(map[item]bool)
	for _, set := range l.policy.families {
		set.rules = l.rulesOf(set.family, listen)
		first := priorities(others, set.family, len(set.rules))
		for i, r := range set.rules {
			r.Priority = first + i
			rules[ruleItem(r.Family, r.Priority)] = true
		}
	}
	l.wanted.set(func() { l.wanted.rules = rules })
	for _, i := range slices.SortedFunc(maps.Keys(rules), item.compare) {
		if err := l.applyRule(i); err != nil {
			return err
		}
	}
	return errors.Join(l.removeStale(), l.validateMark())
}

// ruleItem is a rule of ours as a thing that the Link owns.
func ruleItem(family, priority int) item {
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if family == unix.AF_INET6 {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return item{kind: KindRule, prefix: all, rule: priority}
}

// applyRule adds a rule that is wanted.
func (l *Link) applyRule(i item) error {
	for _, set := range l.policy.families {
		for _, r := range set.rules {
			if ruleItem(r.Family, r.Priority) != i {
				continue
			}
			if err := l.handle.RuleAdd(r); err != nil && !errors.Is(err, unix.EEXIST) {
				return fmt.Errorf("add %s: %w", i, err)
			}
		}
	}
	return nil
}

// ownRules returns those of the wanted rules that the host has.
func (l *Link) ownRules() (map[item]bool, error) {
	own := make(map[item]bool)
	if len(l.policy.families) == 0 {
		return own, nil
	}
	has, err := l.rules()
	if err != nil {
		return nil, err
	}
	for _, r := range has {
		if l.wants(&r) {
			own[ruleItem(r.Family, r.Priority)] = true
		}
	}
	return own, nil
}

// wants reports whether a rule of the host is one of ours.
func (l *Link) wants(h *netlink.Rule) bool {
	for _, set := range l.policy.families {
		for _, r := range set.rules {
			if h.Family == r.Family && h.Priority == r.Priority && h.Table == r.Table && h.Protocol == r.Protocol &&
				h.Invert == r.Invert && h.Mark == r.Mark && h.SuppressPrefixlen == r.SuppressPrefixlen && h.IPProto == r.IPProto &&
				(r.Sport == nil || h.Sport != nil && *h.Sport == *r.Sport) {
				return true
			}
		}
	}
	return false
}

// rulesOf returns the rules of a family, without their priorities.
func (l *Link) rulesOf(family int, listen []netip.AddrPort) (list []*netlink.Rule) {
	rule := func(table int) *netlink.Rule {
		r := netlink.NewRule()
		r.Family, r.Table, r.Protocol = family, table, RuleProtocol
		list = append(list, r)
		return r
	}
	for _, at := range listen {
		if family == unix.AF_INET && at.Addr().Is4() {
			look, pass := rule(unix.RT_TABLE_UNSPEC), rule(unix.RT_TABLE_MAIN)
			look.Type, pass.IifName = nl.FR_ACT_NOP, "lo"
			for _, r := range []*netlink.Rule{look, pass} {
				r.IPProto, r.Sport = unix.IPPROTO_UDP, netlink.NewRulePortRange(at.Port(), at.Port())
				if !at.Addr().IsUnspecified() {
					r.Src = ipNet(netip.PrefixFrom(at.Addr(), at.Addr().BitLen()))
				}
			}
		}
	}
	rule(unix.RT_TABLE_MAIN).SuppressPrefixlen = 0
	divert, guard := rule(l.policy.table), rule(unix.RT_TABLE_UNSPEC)
	guard.Type = nl.FR_ACT_UNREACHABLE
	for _, r := range []*netlink.Rule{divert, guard} {
		r.Invert, r.Mark = true, l.mark
	}
	return list
}

// priorities returns the first of n free ones in a row, the last before that of the
// main table.
func priorities(rules []netlink.Rule, family, n int) (first int) {
	used := make(map[int]bool)
	for _, r := range rules {
		if r.Family == family {
			used[r.Priority] = true
		}
	}
	for first = mainPriority - n; first > 0; first-- {
		free := true
		for p := first; p < first+n; p++ {
			free = free && !used[p]
		}
		if free {
			break
		}
	}
	return first
}

// undivert takes back what Divert has done, and the routes of the default table: on
// a persistent device they would stay.
func (l *Link) undivert() {
	for _, set := range l.policy.families {
		for _, r := range slices.Backward(set.rules) {
			_ = l.handle.RuleDel(r)
		}
	}
	l.revalidateMark()
	if l.policy.table != 0 {
		l.flush(l.policy.table)
	}
}

// rules returns those of the host, of both families.
func (l *Link) rules() (list []netlink.Rule, err error) {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		of, err := consistent(func() ([]netlink.Rule, error) { return l.handle.RuleListFiltered(family, nil, 0) })
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
			continue // the host lacks the family
		} else if err != nil {
			return nil, fmt.Errorf("rules of the host: %w", err)
		}
		list = append(list, of...)
	}
	return list, nil
}

// diverts reports whether a rule is one like ours that names the table.
func diverts(r *netlink.Rule) bool {
	return r.Protocol == RuleProtocol && r.Invert && r.Table != unix.RT_TABLE_UNSPEC
}

// others returns the rules of the host but those that a process that is gone has
// left, which become the stale ones: their table leads to no device.
func (l *Link) others() (rest []netlink.Rule, err error) {
	rules, err := l.rules()
	if err != nil {
		return nil, err
	}
	type place struct{ family, priority int }
	alive := make(map[place]bool)
	for _, r := range rules {
		if !diverts(&r) {
			continue
		}
		routes, err := l.routesIn(r.Table)
		if err != nil {
			return nil, err
		}
		// The table of ours has got its routes since.
		stale := slices.ContainsFunc(l.policy.stale, func(s netlink.Rule) bool { return s.Family == r.Family && s.Priority == r.Priority })
		if stale || !slices.ContainsFunc(routes, func(to netlink.Route) bool { return to.Type == unix.RTN_UNICAST }) {
			continue
		}
		for i := range mostRules {
			alive[place{r.Family, r.Priority + 1 - i}] = true
		}
	}
	l.policy.stale = nil
	for _, r := range rules {
		if r.Protocol != RuleProtocol || alive[place{r.Family, r.Priority}] {
			rest = append(rest, r)
		} else {
			l.policy.stale = append(l.policy.stale, r)
		}
	}
	return rest, nil
}

// removeStale removes the stale rules, except those that we want as well, and the
// guards in their tables.
func (l *Link) removeStale() error {
	for _, r := range l.policy.stale {
		if l.wants(&r) {
			continue
		}
		if err := l.handle.RuleDel(&r); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove rule %d, which a killed process has left: %w", r.Priority, err)
		}
		if diverts(&r) && r.Table != l.policy.table {
			l.flush(r.Table)
		}
	}
	l.policy.stale = nil
	return nil
}
