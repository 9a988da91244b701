package host

import (
	"errors"
	"fmt"

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

// split parts the rules of the host, which are in their order, into those that a
// process for the device has left, and all others.
func split(rules []netlink.Rule, name string) (left, others []netlink.Rule) {
	more := make(map[int]int) // of the set that is being read, by family
	for _, r := range rules {
		if whose := device(&r); whose == name {
			more[r.Family] = mostRules
		} else if whose != "" {
			more[r.Family] = 0
		}
		if !isOwn(r) || more[r.Family] == 0 {
			others = append(others, r)
			continue
		}
		left = append(left, r)
		more[r.Family]--
		if guards(&r) {
			more[r.Family] = 0
		}
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

// removeStale removes the stale rules, except those that we want as well, and the
// guards in their tables.
func (l *Link) removeStale() error {
	if len(l.policy.stale) == 0 {
		return nil
	}
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
	l.revalidateMark()
	return nil
}
