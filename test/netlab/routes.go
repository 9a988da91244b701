//go:build linux

package netlab

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Forward makes the host a router for IPv4 and IPv6. Where a packet with DF is
// too long for the next link it answers Fragmentation Needed (RFC 1191) or
// Packet Too Big (RFC 8201), as any kernel does.
func (h *Host) Forward() {
	h.Sysctl("net.ipv4.ip_forward", "1")
	h.Sysctl("net.ipv6.conf.all.forwarding", "1")
}

// AddRoute routes a prefix to the gateway via. A route that exists is replaced.
func (h *Host) AddRoute(prefix netip.Prefix, via netip.Addr) {
	h.check(fmt.Sprintf("add route %v via %v", prefix, via), h.nl.RouteReplace(&netlink.Route{
		Dst: ipNet(prefix, true),
		Gw:  via.AsSlice(),
	}))
}

// RemoveRoute undoes AddRoute.
func (h *Host) RemoveRoute(prefix netip.Prefix, via netip.Addr) {
	h.check(fmt.Sprintf("remove route %v via %v", prefix, via), h.nl.RouteDel(&netlink.Route{
		Dst: ipNet(prefix, true),
		Gw:  via.AsSlice(),
	}))
}

// DefaultVia sends everything else to the gateways, one a family.
func (h *Host) DefaultVia(gateways ...netip.Addr) {
	for _, via := range gateways {
		zero := netip.IPv4Unspecified()
		if via.Is6() {
			zero = netip.IPv6Unspecified()
		}
		h.AddRoute(netip.PrefixFrom(zero, 0), via)
	}
}

// AddRoute routes prefixes out of this interface, without a gateway: the way into
// a tunnel.
func (i *Interface) AddRoute(prefixes ...netip.Prefix) {
	for _, prefix := range prefixes {
		err := i.host.nl.RouteReplace(&netlink.Route{
			Dst:       ipNet(prefix, true),
			LinkIndex: i.index,
			Scope:     netlink.SCOPE_LINK,
		})
		i.host.check(fmt.Sprintf("add route %v dev %s", prefix, i.name), err)
	}
}

// SetICMPRateLimit puts a host's limits on its own ICMP messages back, which
// are lifted by default: at most one a gap to the same destination, in
// milliseconds; the kernel's own default is 1000. Fragmentation Needed and
// Packet Too Big are never limited by Linux, the other errors are.
func (h *Host) SetICMPRateLimit(gap int) {
	mask := "0"
	if gap > 0 {
		// Destination Unreachable, Source Quench, Time Exceeded,
		// Parameter Problem: the kernel's own choice.
		mask = fmt.Sprint(1<<3 | 1<<4 | 1<<11 | 1<<12)
	}
	h.Sysctl("net.ipv4.icmp_ratelimit", fmt.Sprint(gap))
	h.Sysctl("net.ipv4.icmp_ratemask", mask)
	h.Sysctl("net.ipv6.icmp.ratelimit", fmt.Sprint(gap))
}

// ipNet converts; with mask, the host bits are cleared.
func ipNet(prefix netip.Prefix, mask bool) *net.IPNet {
	if mask {
		prefix = prefix.Masked()
	}
	return &net.IPNet{
		IP:   prefix.Addr().AsSlice(),
		Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
	}
}
