package host

import (
	"fmt"
	"net/netip"

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
// The second and the third are for IPv4 alone. A strict rp_filter asks by which way
// an answer to what it receives would leave, and knows the ports of that answer but no
// mark. iif lo keeps packets of other hosts, which happen to come from the same port,
// from leaving beside the tunnel. With it in all rules the kernel would not look at the
// ports of what it receives at all; for the one before it, which does nothing, it does.

// mostDefaultRules is how many of these rules a family has with one listening socket.
const mostDefaultRules = 6

// leadDefault gives a set the rules of a default route.
func (l *Link) leadDefault(set *ruleSet, listen []netip.AddrPort) {
	set.named(l.name)
	for _, at := range listen {
		if set.family == unix.AF_INET && at.Addr().Is4() {
			look, pass := set.add(unix.RT_TABLE_UNSPEC), set.add(unix.RT_TABLE_MAIN)
			look.Type, pass.IifName = nl.FR_ACT_NOP, "lo"
			for _, r := range []*netlink.Rule{look, pass} {
				r.IPProto, r.Sport = unix.IPPROTO_UDP, netlink.NewRulePortRange(at.Port(), at.Port())
				if !at.Addr().IsUnspecified() {
					r.Src = ipNet(netip.PrefixFrom(at.Addr(), at.Addr().BitLen()))
				}
			}
		}
	}
	set.add(unix.RT_TABLE_MAIN).SuppressPrefixlen = 0
	divert, guard := set.add(l.policy.table), set.add(unix.RT_TABLE_UNSPEC)
	guard.Type = nl.FR_ACT_UNREACHABLE
	for _, r := range []*netlink.Rule{divert, guard} {
		r.Invert, r.Mark = true, l.mark
	}
}

// behindLocal reports an error if the set stands before the rule of the local table, as
// where that was moved behind the rules of VRFs: the host's own addresses would then be
// taken for places far away.
func (s *ruleSet) behindLocal(others []netlink.Rule) error {
	local := -1
	for i, r := range others {
		if r.Family == s.family && r.Table == unix.RT_TABLE_LOCAL && (local < 0 || r.Priority < others[local].Priority) {
			local = i
		}
	}
	if local < 0 || others[local].Priority < s.rules[0].Priority {
		return nil
	}
	return fmt.Errorf("a default route into the tunnel must stand behind the host's own addresses, but the rule \"lookup local\" (%s) has priority %d: give it one below %d",
		familyName(s.family), others[local].Priority, s.rules[0].Priority)
}
