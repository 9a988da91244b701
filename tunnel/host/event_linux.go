package host

import (
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// parseEvent reads a message of a subscription. The library reads these messages
// only in goroutines and sockets of its own, one for each subject, which neither
// keep their order nor tell that some were lost.
func parseEvent(m *syscall.NetlinkMessage) event {
	switch m.Header.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return interfaceEvent(m)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return addressEvent(m)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return routeEvent(m)
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		return ruleEvent(m)
	}
	return event{of: ofOther}
}

func interfaceEvent(m *syscall.NetlinkMessage) (e event) {
	if len(m.Data) < unix.SizeofIfInfomsg {
		return event{}
	}
	info := nl.DeserializeIfInfomsg(m.Data)
	if info.Family != unix.AF_UNSPEC {
		return event{} // of its place in a bridge, which may be gone while it is not
	}
	e = event{of: ofInterface, gone: m.Header.Type == unix.RTM_DELLINK, index: int(info.Index), up: info.Flags&unix.IFF_UP != 0, carries: carries(info.Flags)}
	forAttributes(m.Data[unix.SizeofIfInfomsg:], func(kind uint16, value []byte) {
		if kind == unix.IFLA_MTU {
			e.mtu = number(value)
		}
	})
	return e
}

func addressEvent(m *syscall.NetlinkMessage) (e event) {
	if len(m.Data) < unix.SizeofIfAddrmsg {
		return event{}
	}
	info := nl.DeserializeIfAddrmsg(m.Data)
	e = event{of: ofAddress, gone: m.Header.Type == unix.RTM_DELADDR, index: int(info.Index)}
	var local, address netip.Addr
	flags := uint32(info.Flags)
	forAttributes(m.Data[unix.SizeofIfAddrmsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(value)
		case unix.IFA_FLAGS: // all of them: the header has room for eight
			flags = uint32(number(value))
		}
	})
	if !local.IsValid() { // IPv6 without a peer
		local = address
	}
	e.prefix = netip.PrefixFrom(local, int(info.Prefixlen))
	e.address.Addr, e.address.local = local, info.Scope >= unix.RT_SCOPE_LINK
	e.address.tentative = flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0
	e.address.deprecated = flags&unix.IFA_F_DEPRECATED != 0
	// The kernel has a flag of IPv4 that is the same bit: a second address of a network.
	e.address.temporary = flags&unix.IFA_F_TEMPORARY != 0 && local.Is6()
	return e
}

func routeEvent(m *syscall.NetlinkMessage) (e event) {
	if len(m.Data) < unix.SizeofRtMsg {
		return event{}
	}
	info := nl.DeserializeRtMsg(m.Data)
	e = event{of: ofRoute, gone: m.Header.Type == unix.RTM_DELROUTE, kernel: info.Protocol == unix.RTPROT_KERNEL}
	e.table = int(info.Table)
	metric := 0
	addr := defaultPrefix(int(info.Family)).Addr() // of the default route, which names none
	forAttributes(m.Data[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.RTA_DST:
			addr, _ = netip.AddrFromSlice(value)
		case unix.RTA_TABLE:
			e.table = number(value)
		case unix.RTA_OIF:
			e.index = number(value)
		case unix.RTA_PRIORITY:
			metric = number(value)
		case unix.RTA_METRICS:
			forAttributes(value, func(kind uint16, value []byte) {
				switch kind {
				case unix.RTAX_MTU:
					e.metrics.MTU = number(value)
				case unix.RTAX_ADVMSS:
					e.metrics.AdvMSS = number(value)
				}
			})
		}
	})
	e.prefix = netip.PrefixFrom(addr, int(info.Dst_len))
	e.metrics.Prefix = e.prefix
	ours := metricOf(int(info.Family))
	e.metric = metric == ours
	e.guard = info.Type == unix.RTN_UNREACHABLE && info.Protocol == GuardProtocol && metric == ours+1
	return e
}

func ruleEvent(m *syscall.NetlinkMessage) (e event) {
	if len(m.Data) < unix.SizeofRtMsg { // a fib_rule_hdr is as long
		return event{}
	}
	e = event{of: ofRule, gone: m.Header.Type == unix.RTM_DELRULE}
	priority := 0
	forAttributes(m.Data[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		switch {
		case kind == nl.FRA_PRIORITY:
			priority = number(value)
		case kind == nl.FRA_PROTOCOL && len(value) > 0:
			e.own = value[0] == RuleProtocol
		}
	})
	e.rule = ruleItem(int(m.Data[0]), priority)
	return e
}

// forAttributes calls f for each attribute of a message. The error says that they
// are damaged, and f has not been called; an event is then without them.
func forAttributes(b []byte, f func(kind uint16, value []byte)) error {
	attributes, err := nl.ParseRouteAttr(b)
	if err != nil {
		return err
	}
	for _, a := range attributes {
		f(a.Attr.Type&^unix.NLA_F_NESTED, a.Value)
	}
	return nil
}

// number reads an attribute of 32 bits.
func number(value []byte) int {
	if len(value) < 4 {
		return 0
	}
	return int(nl.NativeEndian().Uint32(value))
}
