package host

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The guards beside the routes go when another program removes a route together with
// its guard. So there is a second line: more guards, in tables of their own, and
// rules that lead there before the main table is asked. For each family and each
// length of prefix, the longest first:
//
//	iif DEVICE nop
//	to COVER lookup main suppress_prefixlength LENGTH-1
//	to COVER lookup TABLE
//
// The second asks the main table for a route that is at least as long: the one into
// the device, one in its place, or a longer one. If there is none, the third refuses
// the packet if its address is in a prefix of ours, and no wider route is asked. COVER
// is the longest prefix that holds all prefixes of the length. It only spares other
// packets two look-ups.
//
// A table holds one length, since the kernel suppresses no route that refuses: with all
// in one, a guard of a wide prefix would go before a longer route of the main table.
//
// As long as the main table is the next to be asked, all packets but those for a missing
// route take the way that they would take without these rules. So they must not stand
// before rules of others which say otherwise, and if there is no place behind those,
// there is no second line.
//
// One thing passes by: an IPv6 host route that the kernel has made from a PTB (RFC 8201)
// counts as long, whatever route it belongs to.

const (
	// firstGuardTable is the number of the first table that is tried.
	firstGuardTable = firstTable + 100
	// guardsEnd leaves room for rules of default routes, of several tunnels: they ask the
	// main table for nearly all routes, and have to come later.
	guardsEnd = mainPriority - 10*mostDefaultRules
)

var (
	errNoRules = errors.New("the kernel has no policy routing")
	errBlocked = errors.New("rules of the host stand right before that of the main table: give them smaller numbers")
)

// secondLine makes the rules of the second line, without their priorities. Tables that
// routes go to by configuration have none: the rules are the administrator's there.
// lacking is why a family has none.
func (l *Link) secondLine(others []netlink.Rule) (sets []*ruleSet, lacking error, err error) {
	prefixes := make(map[int][]netip.Prefix)
	for _, i := range l.wanted.guarded() {
		if i.number == mainTable && l.table == 0 {
			family := familyOf(i.prefix.Addr())
			prefixes[family] = append(prefixes[family], i.prefix)
		}
	}
	var tables []int // the families share their numbers
	next := firstGuardTable
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		lines := linesOf(prefixes[family])
		if len(lines) == 0 {
			continue
		}
		if !hasRules(others, family) {
			if family == unix.AF_INET || hasIPv6() {
				lacking = firstLineOnly(lacking, family, errNoRules)
			}
			continue
		}
		for len(tables) < len(lines) {
			if next, err = l.freeTable(next, others); err != nil {
				return nil, nil, err
			}
			tables = append(tables, next)
			next++
		}
		set := &ruleSet{family: family, end: guardsEnd}
		set.named(l.name)
		for i, of := range lines {
			longer, guard := set.add(unix.RT_TABLE_MAIN), set.add(tables[i])
			longer.SuppressPrefixlen = of.bits() - 1
			if of.cover.Bits() > 0 {
				longer.Dst, guard.Dst = ipNet(of.cover), ipNet(of.cover)
			}
			for _, prefix := range of.prefixes {
				set.guards = append(set.guards, guardIn(prefix, tables[i]))
			}
		}
		sets = append(sets, set)
	}
	return sets, lacking, nil
}

// hasRules reports whether the kernel has rules of the family: it begins with some.
func hasRules(rules []netlink.Rule, family int) bool {
	for _, r := range rules {
		if r.Family == family {
			return true
		}
	}
	return false
}

// blocked reports whether a rule of others, which are in their order, stands between
// the set and the first that asks the main table for every packet.
func (s *ruleSet) blocked(others []netlink.Rule) bool {
	for _, r := range others {
		switch {
		case r.Family != s.family || r.Priority < s.rules[0].Priority || isOwn(r):
		case asksMain(&r):
			return false
		default:
			return true
		}
	}
	return true
}

// asksMain reports whether a rule asks the main table for the way of every packet, for
// all routes or all but the default one.
func asksMain(r *netlink.Rule) bool {
	all := r.Src == nil && r.Dst == nil && r.IifName == "" && r.OifName == "" && r.Mark == 0 && r.Mask == nil && r.Tos == 0 &&
		r.TunID == 0 && r.IPProto == 0 && r.Sport == nil && r.Dport == nil && r.UIDRange == nil && !r.Invert
	return all && r.Table == unix.RT_TABLE_MAIN && r.SuppressPrefixlen <= 0 && r.SuppressIfgroup < 0
}

// addSecondLine adds the sets of the second line that have a place, and to lacking why
// others have none.
func (l *Link) addSecondLine(sets []*ruleSet, others []netlink.Rule, lacking error) error {
	for _, set := range sets {
		err := errBlocked
		if !set.blocked(others) {
			err = l.addSet(set)
		}
		if err != nil {
			lacking = firstLineOnly(lacking, set.family, err)
			l.removeSet(set)
		}
	}
	return lacking
}

// firstLineOnly says why a family has no second line, and adds that to what is said of
// the other one, if anything is.
func firstLineOnly(other error, family int, why error) error {
	err := fmt.Errorf("%w for %s: %w", ErrFirstLineOnly, familyName(family), why)
	if other != nil {
		err = fmt.Errorf("%w; %w", other, err)
	}
	return err
}
