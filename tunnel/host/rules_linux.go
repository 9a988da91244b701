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
//	iif DEVICE nop
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
// The first does nothing but say whose rules these are: see left_linux.go.
//
// The next two are for IPv4 alone. A strict rp_filter asks by which way an answer
// to what it receives would leave, and knows the ports of that answer but no mark.
// iif lo keeps packets of other hosts, which happen to come from the same port, from
// leaving beside the tunnel. With it in all rules the kernel would not look at the
// ports of what it receives at all; for the one before it, which does nothing, it does.
//
// They stand right before the rule for the main table: rules of the administrator
// go before them, as they go before the main table.

// RuleProtocol is the protocol of our rules (FRA_PROTOCOL), by which an
// administrator can tell them, and a Link those that a killed process has left.
const RuleProtocol = GuardProtocol

const (
	// mainPriority is that of the kernel's own rule for the main table.
	mainPriority = 32766
	// mostRules is how many rules a family has at most.
	mostRules = 6
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
	// Since the mark was chosen another tunnel may have been quicker.
	if _, err := sharedMark(others, l.mark); err != nil {
		return err
	}
	claimed := slices.ContainsFunc(slices.Concat(others, l.policy.stale), isOwn)
	rules := make(map[item]bool)
	for _, set := range l.policy.families {
		set.rules = l.rulesOf(set.family, listen)
		set.place(others)
		if slices.ContainsFunc(l.policy.stale, func(r netlink.Rule) bool { return r.Family == set.family && !l.wants(&r) }) {
			// The kernel takes a rule for one at the same place that has more to match.
			set.place(slices.Concat(others, l.policy.stale))
		}
		for _, r := range set.rules {
			rules[ruleItem(r.Family, r.Priority)] = true
		}
	}
	l.wanted.set(func() { l.wanted.rules = rules })
	for _, i := range slices.SortedFunc(maps.Keys(rules), item.compare) {
		if err := l.applyRule(i); err != nil && !isGone(err) {
			return err
		}
	}
	if err := l.understood(rules); err != nil {
		return err
	}
	return errors.Join(l.removeStale(), l.validateMark(claimed))
}

// errOldKernel: rules that lack what the kernel did not understand would match
// packets of others.
var errOldKernel = errors.New("the kernel knows no rules for protocols and ports (Linux 4.17 does): set tunnel.table, and add rules of your own")

// understood reads the rules back: an old kernel leaves out, without a word, what it
// does not know. A family that the host lacks has none.
func (l *Link) understood(rules map[item]bool) error {
	has, err := l.rules()
	if err != nil {
		return err
	}
	own := l.ownAmong(has)
	for i := range rules {
		if !own[i] && slices.ContainsFunc(has, func(r netlink.Rule) bool { return ruleItem(r.Family, r.Priority) == i }) {
			return fmt.Errorf("%s: %w", i, errOldKernel)
		}
	}
	return nil
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
				return fmt.Errorf("add %s: %w", i, withoutFamily(err, r.Family))
			}
		}
	}
	return nil
}

// ownRules returns those of the wanted rules that the host has.
func (l *Link) ownRules() (map[item]bool, error) {
	if len(l.policy.families) == 0 {
		return nil, nil
	}
	has, err := l.rules()
	return l.ownAmong(has), err
}

func (l *Link) ownAmong(rules []netlink.Rule) map[item]bool {
	own := make(map[item]bool)
	for _, r := range rules {
		if l.wants(&r) {
			own[ruleItem(r.Family, r.Priority)] = true
		}
	}
	return own
}

// wants reports whether a rule of the host is one of ours.
func (l *Link) wants(h *netlink.Rule) bool {
	for _, set := range l.policy.families {
		for _, r := range set.rules {
			if h.Family == r.Family && h.Priority == r.Priority && h.Table == r.Table && h.Protocol == r.Protocol &&
				h.Invert == r.Invert && h.Mark == r.Mark && h.SuppressPrefixlen == r.SuppressPrefixlen && h.IPProto == r.IPProto &&
				h.IifName == r.IifName && sameSource(h, r) && (r.Sport == nil || h.Sport != nil && *h.Sport == *r.Sport) {
				return true
			}
		}
	}
	return false
}

func sameSource(a, b *netlink.Rule) bool {
	if a.Src == nil || b.Src == nil {
		return a.Src == b.Src
	}
	return a.Src.String() == b.Src.String()
}

// rulesOf returns the rules of a family, without their priorities.
func (l *Link) rulesOf(family int, listen []netip.AddrPort) (list []*netlink.Rule) {
	rule := func(table int) *netlink.Rule {
		r := netlink.NewRule()
		r.Family, r.Table, r.Protocol = family, table, RuleProtocol
		list = append(list, r)
		return r
	}
	whose := rule(unix.RT_TABLE_UNSPEC)
	whose.Type, whose.IifName = nl.FR_ACT_NOP, l.name
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

// place gives the rules of a set free priorities in a row, the last before that of
// the main table.
func (s *ruleSet) place(rules []netlink.Rule) {
	used := make(map[int]bool)
	for _, r := range rules {
		if r.Family == s.family {
			used[r.Priority] = true
		}
	}
	n := len(s.rules)
	first := mainPriority - n
	for ; first > 0; first-- {
		free := true
		for p := first; p < first+n; p++ {
			free = free && !used[p]
		}
		if free {
			break
		}
	}
	for i, r := range s.rules {
		r.Priority = first + i
	}
}

// undivert takes back what Divert has done, and the routes of the default table: on
// a persistent device they would stay.
func (l *Link) undivert() {
	for _, set := range l.policy.families {
		for _, r := range slices.Backward(set.rules) {
			_ = l.handle.RuleDel(r)
		}
	}
	if len(l.wanted.rules) > 0 {
		l.revalidateMark()
	}
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
