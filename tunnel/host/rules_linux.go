package host

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Link has sets of rules, for each family one of the second line of guards
// (secondline_linux.go) and one of a default route (defaultroute_linux.go). The first
// rule of a set does nothing but say whose it is: see left_linux.go. They stand before
// the rule for the main table: rules of the administrator go before them, as they go
// before the main table.

// RuleProtocol is the protocol of our rules (FRA_PROTOCOL), by which an
// administrator can tell them, and a Link those that a killed process has left.
const RuleProtocol = GuardProtocol

// mainPriority is that of the kernel's own rule for the main table.
const mainPriority = 32766

// ruleSet is rules of one family that stand in a row.
type ruleSet struct {
	family int
	end    int // the row ends before this priority
	rules  []*netlink.Rule
	guards []item // in the tables that the rules lead to
}

// add adds a rule about a table to the end of the set.
func (s *ruleSet) add(table int) *netlink.Rule {
	r := netlink.NewRule()
	r.Family, r.Table, r.Protocol = s.family, table, RuleProtocol
	s.rules = append(s.rules, r)
	return r
}

// named adds the rule that names the device.
func (s *ruleSet) named(device string) {
	whose := s.add(unix.RT_TABLE_UNSPEC)
	whose.Type, whose.IifName = nl.FR_ACT_NOP, device
}

// Divert adds the rules by which the default routes, which are there already, take
// effect, and the second line of guards. Call it once, when all routes have been given
// to the Link. listen is where our sockets are. After ErrFirstLineOnly the rest is done.
func (l *Link) Divert(listen []netip.AddrPort) error {
	end, err := takeTurn()
	if err != nil {
		return err
	}
	defer end()
	others, err := l.others()
	if err != nil {
		return err
	}
	if len(l.policy.sets) > 0 {
		// Since the mark was chosen another tunnel may have been quicker.
		if _, err := sharedMark(others, l.mark); err != nil {
			return err
		}
	}
	claimed := slices.ContainsFunc(slices.Concat(others, l.policy.stale), ofDefault)
	defaults := l.policy.sets
	for _, set := range defaults {
		l.leadDefault(set, listen)
	}
	second, lacking, err := l.secondLine(others)
	if err != nil {
		return err
	}
	l.policy.sets = slices.Concat(second, defaults)
	l.place(others)
	if slices.ContainsFunc(l.policy.stale, func(r netlink.Rule) bool { return !l.wants(&r) }) {
		// The kernel takes a rule for one at the same place that has more to match.
		l.place(slices.Concat(others, l.policy.stale))
	}
	for _, set := range defaults {
		if err := set.behindLocal(others); err != nil {
			return err
		}
	}
	lacking = l.addSecondLine(second, others, lacking)
	for _, set := range defaults {
		if err := l.addSet(set); err != nil {
			return err
		}
	}
	if err := l.removeStale(); err != nil {
		return err
	}
	if len(defaults) > 0 {
		if err := l.validateMark(claimed); err != nil {
			return err
		}
	}
	return lacking
}

// addSet adds the guards and the rules of a set, in their order.
func (l *Link) addSet(set *ruleSet) error {
	rules := make(map[item]bool)
	for _, r := range set.rules {
		rules[ruleItem(r.Family, r.Priority)] = true
	}
	l.wanted.set(func() { maps.Copy(l.wanted.rules, rules) })
	for _, i := range set.guards {
		if err := l.guard(i); err != nil {
			return err
		}
	}
	for _, r := range set.rules {
		if err := l.addRule(r); err != nil && !isGone(err) {
			return err
		}
	}
	return l.understood(rules)
}

// removeSet removes what addSet has added.
func (l *Link) removeSet(set *ruleSet) {
	l.policy.sets = slices.DeleteFunc(l.policy.sets, func(s *ruleSet) bool { return s == set })
	l.wanted.set(func() {
		for _, r := range set.rules {
			delete(l.wanted.rules, ruleItem(r.Family, r.Priority))
		}
		for _, i := range set.guards {
			delete(l.wanted.guards, i)
		}
	})
	for _, r := range slices.Backward(set.rules) {
		_ = l.handle.RuleDel(r)
	}
	for _, i := range set.guards {
		_ = l.handle.RouteDel(guardRoute(i))
	}
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
	return item{kind: KindRule, prefix: defaultPrefix(family), number: priority}
}

// applyRule adds a rule that is wanted.
func (l *Link) applyRule(i item) error {
	for _, set := range l.policy.sets {
		for _, r := range set.rules {
			if ruleItem(r.Family, r.Priority) == i {
				return l.addRule(r)
			}
		}
	}
	return nil
}

// addRule adds a rule, unless it is there.
func (l *Link) addRule(r *netlink.Rule) error {
	if err := l.handle.RuleAdd(r); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add %s: %w", ruleItem(r.Family, r.Priority), withoutFamily(err, r.Family))
	}
	return nil
}

// ownRules returns those of the wanted rules that the host has.
func (l *Link) ownRules() (map[item]bool, error) {
	if len(l.policy.sets) == 0 {
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
	for _, set := range l.policy.sets {
		for _, r := range set.rules {
			if h.Family == r.Family && h.Priority == r.Priority && h.Table == r.Table && h.Protocol == r.Protocol &&
				h.Invert == r.Invert && h.Mark == r.Mark && h.SuppressPrefixlen == r.SuppressPrefixlen && h.IPProto == r.IPProto &&
				h.IifName == r.IifName && sameNet(h.Src, r.Src) && sameNet(h.Dst, r.Dst) && (r.Sport == nil || h.Sport != nil && *h.Sport == *r.Sport) {
				return true
			}
		}
	}
	return false
}

func sameNet(a, b *net.IPNet) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.String() == b.String()
}

// place gives the rules of all sets free priorities, each set in a row.
func (l *Link) place(rules []netlink.Rule) {
	used := make(map[item]bool)
	for _, r := range rules {
		used[ruleItem(r.Family, r.Priority)] = true
	}
	for _, set := range l.policy.sets {
		set.place(used)
		for _, r := range set.rules {
			used[ruleItem(r.Family, r.Priority)] = true
		}
	}
}

// place takes the last free priorities in a row before the end.
func (s *ruleSet) place(used map[item]bool) {
	n := len(s.rules)
	first := s.end - n
	for ; first > 0; first-- {
		free := true
		for p := first; p < first+n; p++ {
			free = free && !used[ruleItem(s.family, p)]
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
	for _, set := range slices.Clone(l.policy.sets) {
		l.removeSet(set)
	}
	if l.policy.table != 0 {
		l.revalidateMark()
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
