package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// maxPacket is the largest IP packet that is sent in one piece, in bytes.
const maxPacket = 65535

// Egress asks the kernel by which way the datagrams of a flow leave the host. The
// MTU is that of the route, if it has one, else that of the interface. The
// kernel's path MTU cache has no say in it, since a forged ICMP message can write
// there. The error is ErrLoop where the way leads into the device itself, else
// what a datagram would be refused with. By an interface there is a way only where the
// tables hold a route by it, and where it is by that one that the datagrams leave:
// see Way.Source. What the host has beside its routes, its
// interfaces and addresses, is as it was at the last Forget.
func (l *Link) Egress(flow Flow) (Egress, error) {
	e, err := l.egress(flow)
	if err != nil {
		return Egress{}, fmt.Errorf("route to %s: %w", flow.Remote.Addr(), err)
	}
	return e, nil
}

func (l *Link) egress(flow Flow) (Egress, error) {
	if local := flow.Local.Addr(); local.IsValid() && !l.learnt.isLocal(local, l.isLocal) {
		flow.Local = netip.AddrPortFrom(netip.Addr{}, flow.Local.Port())
	}
	// The entry of the routing table, as opposed to the route that results from
	// it, shows the administrator's MTU and not the cached one.
	entry, err := l.lookUp(flow, unix.RTM_F_FIB_MATCH)
	if err != nil {
		return Egress{}, err
	}
	out := entry.interfaceIndex
	if out == 0 || entry.kind == unix.RTN_LOCAL {
		// One of several next hops, or the loopback interface, which the entry of
		// a local address does not name.
		route, err := l.lookUp(flow, 0)
		if err != nil {
			return Egress{}, err
		}
		out = route.interfaceIndex
	}
	if out == l.link.Attrs().Index {
		return Egress{}, ErrLoop
	}
	if flow.Interface != 0 && out != flow.Interface {
		return Egress{}, errByAnother
	}
	device, err := l.learnt.device(out, l.deviceOf)
	if err != nil {
		return Egress{}, fmt.Errorf("interface: %w", err)
	}
	e := Egress{MTU: min(device.mtu, maxPacket), Interface: out, Name: device.name}
	if entry.mtu > 0 {
		e.MTU = min(e.MTU, entry.mtu)
	}
	return e, nil
}

// Forget makes Egress ask again what it has learnt of the host's interfaces and
// addresses. Call it when they may have changed.
func (l *Link) Forget() { l.learnt = learnt{} }

// deviceOf returns what an interface is now.
func (l *Link) deviceOf(index int) (egressDevice, error) {
	link, err := l.handle.LinkByIndex(index)
	if err != nil {
		return egressDevice{}, err
	}
	return egressDevice{link.Attrs().Name, link.Attrs().MTU}, nil
}

// isLocal reports whether the host has an address now.
func (l *Link) isLocal(addr netip.Addr) bool {
	to, err := l.lookUp(Flow{Remote: netip.AddrPortFrom(addr, 0)}, 0)
	return err == nil && to.kind == unix.RTN_LOCAL
}

// routeFound is the answer to a look-up.
type routeFound struct {
	kind           uint8      // RTN_UNICAST or RTN_LOCAL, for instance
	interfaceIndex int        // 0: one of several
	mtu            int        // in bytes, 0: the route has none
	source         netip.Addr // invalid: the answer names none
}

// lookUp asks for the route of a flow. The request is made by hand since
// netlink.RouteGetOptions knows neither the protocol nor the ports, by which rules
// tell the tunnel's packets from others.
func (l *Link) lookUp(flow Flow, flags uint32) (routeFound, error) {
	request := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_REQUEST)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: l.lookups}
	to, from := flow.Remote.Addr(), flow.Local.Addr()
	header := nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(familyOf(to)), Dst_len: uint8(to.BitLen()), Flags: unix.RTM_F_LOOKUP_TABLE | flags}}
	if from.IsValid() {
		header.Src_len = uint8(from.BitLen())
	}
	request.AddData(&header)
	add := func(kind int, value []byte) { request.AddData(nl.NewRtAttr(kind, value)) }
	add(unix.RTA_DST, to.AsSlice())
	if from.IsValid() {
		add(unix.RTA_SRC, from.AsSlice())
	}
	index := flow.Interface
	if zone := to.Zone(); zone != "" {
		of, err := l.zoneIndex(zone)
		if err != nil {
			return routeFound{}, err
		}
		if index != 0 && index != of {
			return routeFound{}, errByAnother
		}
		index = of
	}
	if index != 0 {
		add(unix.RTA_OIF, nl.Uint32Attr(uint32(index)))
	}
	if l.mark != 0 {
		add(unix.RTA_MARK, nl.Uint32Attr(l.mark))
	}
	add(unix.RTA_IP_PROTO, nl.Uint8Attr(unix.IPPROTO_UDP))
	add(unix.RTA_SPORT, binary.BigEndian.AppendUint16(nil, flow.Local.Port()))
	add(unix.RTA_DPORT, binary.BigEndian.AppendUint16(nil, flow.Remote.Port()))
	answers, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE)
	if err != nil {
		return routeFound{}, err
	}
	if len(answers) == 0 {
		return routeFound{}, unix.ENETUNREACH
	}
	return parseRoute(answers[0])
}

// zoneIndex returns the index of the interface that an address's zone names.
func (l *Link) zoneIndex(zone string) (int, error) {
	if index, err := strconv.Atoi(zone); err == nil {
		return index, nil
	}
	link, err := l.handle.LinkByName(zone)
	if err != nil {
		return 0, fmt.Errorf("interface %s: %w", zone, err)
	}
	return link.Attrs().Index, nil
}

// errByAnother: a datagram would leave by another interface than the one that is named.
var errByAnother = fmt.Errorf("it leads by another interface: %w", unix.ENETUNREACH)

// errTruncated: an answer of the kernel ends too early.
var errTruncated = errors.New("truncated answer from the kernel")

// parseRoute reads an RTM_NEWROUTE message. A route that lets nothing pass is the
// error that it answers packets with: IPv6 has it among the answers.
func parseRoute(message []byte) (r routeFound, err error) {
	if len(message) < unix.SizeofRtMsg {
		return r, errTruncated
	}
	r.kind = nl.DeserializeRtMsg(message).Type
	switch r.kind {
	case unix.RTN_UNREACHABLE:
		return r, unix.EHOSTUNREACH
	case unix.RTN_PROHIBIT:
		return r, unix.EACCES
	case unix.RTN_BLACKHOLE:
		return r, unix.EINVAL
	}
	var ofMetrics error
	err = forAttributes(message[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.RTA_OIF:
			r.interfaceIndex = number(value)
		case unix.RTA_PREFSRC:
			r.source, _ = netip.AddrFromSlice(value)
		case unix.RTA_METRICS:
			ofMetrics = forAttributes(value, func(kind uint16, value []byte) {
				if kind == unix.RTAX_MTU {
					r.mtu = number(value)
				}
			})
		}
	})
	return r, errors.Join(err, ofMetrics)
}
