package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// native is a Destination in the kernel's form: its remote end, and the ancillary
// data for its local one, nil if it names no address.
type native struct {
	sockaddr sockaddr
	source   []byte
}

// ownOutlet is the outlet that carries data to one Destination only, nil while it
// uses the common one: see outlets.
type ownOutlet struct{ own atomic.Pointer[socket] }

func nativeOf(remote netip.AddrPort, local netip.Addr, index int) native {
	n := native{sockaddr: sockaddrOf(remote)}
	if local.IsValid() {
		n.source = appendSource(nil, local.Is6(), local, index)
	}
	return n
}

// sockaddr is a socket address as the kernel wants it: of IPv4 or IPv6.
type sockaddr struct {
	raw unix.RawSockaddrInet6 // the larger of the two; begins with the family
	len uint32
}

// sockaddrOf converts an address and port. A zone that is no interface of the
// host is left out.
func sockaddrOf(to netip.AddrPort) (s sockaddr) {
	addr := to.Addr()
	if addr.Is4() {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
		v4.Family = unix.AF_INET
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&v4.Port))[:], to.Port())
		v4.Addr = addr.As4()
		s.len = unix.SizeofSockaddrInet4
		return s
	}
	s.raw.Family = unix.AF_INET6
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&s.raw.Port))[:], to.Port())
	s.raw.Addr = addr.As16()
	if zone := addr.Zone(); zone != "" {
		if n, err := strconv.Atoi(zone); err == nil {
			s.raw.Scope_id = uint32(n)
		} else if i, err := net.InterfaceByName(zone); err == nil {
			s.raw.Scope_id = uint32(i.Index)
		}
	}
	s.len = unix.SizeofSockaddrInet6
	return s
}

// addrPort is the inverse of sockaddrOf; it is invalid for other families.
func (s *sockaddr) addrPort() netip.AddrPort {
	switch s.raw.Family {
	case unix.AF_INET:
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&v4.Port))[:]))
	case unix.AF_INET6:
		addr := netip.AddrFrom16(s.raw.Addr).Unmap()
		if s.raw.Scope_id != 0 { // link-local: rare, and worth an allocation
			addr = addr.WithZone(strconv.Itoa(int(s.raw.Scope_id)))
		}
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&s.raw.Port))[:]))
	}
	return netip.AddrPort{}
}
