package inspect

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"fathom/tunnel/doctor"
)

// The ICMP types and codes of Destination Unreachable (RFC 792, 1812 and 4443) that say
// more than that.
const (
	icmpUnreachable, icmpPort, icmpFragmentation = 3, 3, 4
	icmp6Unreachable, icmp6Port                  = 1, 4
)

var unreachable = map[bool]map[uint8]string{
	false: {0: "it has no route to that network", 1: "the host is not there", 2: "the host does not know UDP", 9: "forbidden by its administrator", 10: "forbidden by its administrator", 13: "forbidden by its administrator"},
	true:  {0: "it has no route to there", 1: "forbidden by its administrator", 3: "the host is not there", 5: "the source address is forbidden", 6: "it rejects that route"},
}

// knocked is a Knock whose answer is awaited.
type knocked struct{ doctor.Knock }

// answered takes a message out of the socket's error queue, and reports whether it tells
// what became of the packet.
func (k *knocked) answered(fd int) bool {
	quote, oob := make([]byte, 64), make([]byte, 256)
	_, n, _, _, err := unix.Recvmsg(fd, quote, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return false
	}
	for oob = oob[:n]; len(oob) >= unix.CmsgLen(0); {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return false
		}
		v4 := header.Level == unix.IPPROTO_IP && header.Type == unix.IP_RECVERR
		v6 := header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_RECVERR
		if v4 || v6 {
			return k.told(data, v6)
		}
		oob = rest
	}
	return false
}

// told takes in a struct sock_extended_err (ip(7)) and the address behind it.
func (k *knocked) told(data []byte, v6 bool) bool {
	const size = int(unsafe.Sizeof(unix.SockExtendedErr{}))
	if len(data) < size {
		return false
	}
	// errno(4) origin(1) type(1) code(1) pad(1) info(4) data(4)
	origin, kind, code := data[4], data[5], data[6]
	switch {
	case origin == unix.SO_EE_ORIGIN_ICMP && kind == icmpUnreachable && code != icmpFragmentation, origin == unix.SO_EE_ORIGIN_ICMP6 && kind == icmp6Unreachable:
	default:
		return false
	}
	k.By = sender(data[size:])
	k.Result = doctor.Refused
	k.Problem = unreachable[v6][code]
	if k.Problem == "" {
		k.Problem = fmt.Sprintf("destination unreachable, code %d", code)
	}
	if port := map[bool]uint8{false: icmpPort, true: icmp6Port}[v6]; code == port && k.By == k.To.Addr() {
		k.Result = doctor.Closed
	} else if code == port {
		k.Problem = "it says that the port is closed, in the name of the peer's host"
	}
	return true
}

// sender returns the address in a struct sockaddr, invalid if there is none.
func sender(data []byte) netip.Addr {
	const at4, at6 = 4, 8 // sin_addr, sin6_addr
	if len(data) < at4+net.IPv4len {
		return netip.Addr{}
	}
	switch family := binary.NativeEndian.Uint16(data); {
	case family == unix.AF_INET:
		return netip.AddrFrom4([4]byte(data[at4:]))
	case family == unix.AF_INET6 && len(data) >= at6+net.IPv6len:
		return netip.AddrFrom16([16]byte(data[at6:])).Unmap()
	}
	return netip.Addr{}
}

// zone returns the index of the interface that an address's zone names, 0 if none.
func zone(addr netip.Addr) uint32 {
	if n, err := strconv.ParseUint(addr.Zone(), 10, 32); err == nil {
		return uint32(n)
	}
	link, err := net.InterfaceByName(addr.Zone())
	if err != nil {
		return 0
	}
	return uint32(link.Index)
}
