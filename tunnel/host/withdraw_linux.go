package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Withdraw takes back the route to a prefix, and then its guard: packets for it take the
// host's other routes from then on. A route to the network of one of the interface's own
// addresses stays, as the kernel would have it. See Regroup.
func (l *Link) Withdraw(prefix netip.Prefix) error {
	route, known := l.wanted.route(prefix)
	displaced := l.displaced[prefix] != ""
	guard := guardIn(prefix, l.tableOf(prefix))
	l.wanted.set(func() {
		delete(l.wanted.routes, prefix)
		delete(l.wanted.guards, guard)
	})
	delete(l.seen.routes, prefix)
	delete(l.seen.guards, guard)
	delete(l.displaced, prefix)
	delete(l.backoffs, guard)
	delete(l.backoffs, item{kind: KindRoute, prefix: prefix})
	var failed error
	if known && !displaced && !l.gone && !l.connected(prefix) {
		route.MTU, route.AdvMSS = 0, 0 // whatever it has
		failed = unlessGone(l.handle.RouteDel(l.netlinkRoute(route)))
	}
	if failed = errors.Join(failed, unlessGone(l.handle.RouteDel(guardRoute(guard)))); failed != nil {
		return fmt.Errorf("remove the route to %s: %w", prefix, failed)
	}
	return nil
}

// connected reports whether a prefix is the network of an address of ours.
func (l *Link) connected(prefix netip.Prefix) bool {
	return slices.ContainsFunc(l.config.Addresses, func(own netip.Prefix) bool { return own.Masked() == prefix })
}

// unlessGone drops the error of the removal of a thing that is not there.
func unlessGone(err error) error {
	if errors.Is(err, unix.ESRCH) || isGone(err) || errors.Is(err, unix.EAFNOSUPPORT) {
		return nil
	}
	return err
}

// Regroup makes the second line of guards that Divert has made fit the prefixes that are
// guarded now. The old one stays until the new one is there. The error is as for Divert.
func (l *Link) Regroup() error {
	end, err := takeTurn()
	if err != nil {
		return err
	}
	defer end()
	rules, err := l.rules()
	if err != nil {
		return err
	}
	old := slices.DeleteFunc(slices.Clone(l.policy.sets), func(s *ruleSet) bool { return s.end != guardsEnd })
	second, lacking, err := l.secondLine(rules)
	if err != nil {
		return err
	}
	used := make(map[item]bool)
	for _, r := range rules {
		used[ruleItem(r.Family, r.Priority)] = true
	}
	for _, set := range second { // one for each family
		set.place(used)
	}
	l.policy.sets = append(second, l.policy.sets...)
	lacking = l.addSecondLine(second, rules, lacking)
	for _, set := range old {
		l.removeSet(set)
	}
	return lacking
}
