package udp

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ancillarySize holds the ancillary data of one datagram, sent or received:
// the local address, the traffic class, the hop limit, the segment size and the
// fragment size, or an error with its sender, with room to spare.
const ancillarySize = 192

// ancillary is a buffer for it, aligned as the kernel's structs are.
type ancillary [ancillarySize / 8]uint64

func (a *ancillary) bytes() []byte { return (*[ancillarySize]byte)(unsafe.Pointer(a))[:] }

// parseAncillary fills in what the ancillary data of a datagram says.
func (a *Arrival) parseAncillary(oob []byte) {
	for len(oob) >= unix.CmsgLen(0) {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return
		}
		switch header.Level {
		case unix.IPPROTO_IP:
			switch {
			case header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
				// struct in_pktinfo: ifindex, spec_dst (the local address), addr.
				a.Interface = int(binary.NativeEndian.Uint32(data))
				a.Local = netip.AddrFrom4([4]byte(data[4:8]))
			case header.Type == unix.IP_TOS && len(data) >= 1:
				a.TOS = data[0]
			case header.Type == unix.IP_RECVFRAGSIZE:
				a.Fragmented = true
			}
		case unix.IPPROTO_IPV6:
			switch {
			case header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
				// struct in6_pktinfo: addr, ifindex.
				a.Local = netip.AddrFrom16([16]byte(data[:16]))
				a.Interface = int(binary.NativeEndian.Uint32(data[16:]))
			case header.Type == unix.IPV6_TCLASS && len(data) >= 4:
				a.TOS = uint8(binary.NativeEndian.Uint32(data))
			case header.Type == unix.IPV6_RECVFRAGSIZE:
				a.Fragmented = true
			}
		case unix.IPPROTO_UDP:
			if header.Type == unix.UDP_GRO && len(data) >= 4 { // an int, where UDP_SEGMENT takes 16 bits
				a.Segment = int(binary.NativeEndian.Uint32(data))
			}
		}
		oob = rest
	}
}

// appendSource adds what makes the kernel send from an address of the host and by an
// interface: nothing if the one is invalid and the other 0.
func appendSource(oob []byte, v6 bool, local netip.Addr, index int) []byte {
	switch {
	case !local.IsValid() && index == 0:
		return oob
	case v6:
		var info [unix.SizeofInet6Pktinfo]byte
		if local.IsValid() {
			addr := local.As16()
			copy(info[:], addr[:])
		}
		binary.NativeEndian.PutUint32(info[16:], uint32(index))
		return appendAncillary(oob, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, info[:])
	}
	var info [unix.SizeofInet4Pktinfo]byte
	binary.NativeEndian.PutUint32(info[:], uint32(index))
	if local.Is4() {
		addr := local.As4()
		copy(info[4:], addr[:])
	}
	return appendAncillary(oob, unix.IPPROTO_IP, unix.IP_PKTINFO, info[:])
}

// appendSegment adds the size at which the kernel is to cut a buffer into
// datagrams, in bytes of UDP payload.
func appendSegment(oob []byte, size int) []byte {
	var data [2]byte
	binary.NativeEndian.PutUint16(data[:], uint16(size))
	return appendAncillary(oob, unix.IPPROTO_UDP, unix.UDP_SEGMENT, data[:])
}

// appendTOS adds the TOS octet or traffic class of the outer packet.
func appendTOS(oob []byte, v6 bool, tos uint8) []byte {
	var data [4]byte
	binary.NativeEndian.PutUint32(data[:], uint32(tos))
	if v6 {
		return appendAncillary(oob, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, data[:])
	}
	return appendAncillary(oob, unix.IPPROTO_IP, unix.IP_TOS, data[:])
}

// appendHops adds the TTL or hop limit of the outer packet.
func appendHops(oob []byte, v6 bool, hops uint8) []byte {
	var data [4]byte
	binary.NativeEndian.PutUint32(data[:], uint32(hops))
	if v6 {
		return appendAncillary(oob, unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, data[:])
	}
	return appendAncillary(oob, unix.IPPROTO_IP, unix.IP_TTL, data[:])
}

// appendAncillary adds one message; see cmsg(3). It allocates nothing if oob
// has the room.
func appendAncillary(oob []byte, level, kind int32, data []byte) []byte {
	start := len(oob)
	for range unix.CmsgSpace(len(data)) {
		oob = append(oob, 0)
	}
	header := (*unix.Cmsghdr)(unsafe.Pointer(&oob[start]))
	header.Level, header.Type = level, kind
	header.SetLen(unix.CmsgLen(len(data)))
	copy(oob[start+unix.CmsgLen(0):], data)
	return oob
}
