package inner

import (
	"encoding/binary"
	"net/netip"
)

const (
	icmpHeaderSize = 8
	// The most that an ICMP error may have, in bytes of the IP packet: what
	// every host must be able to receive (RFC 1812 section 4.3.2.3, RFC 4443
	// section 2.4(c)).
	maxICMPv4Error = 576
	maxICMPv6Error = 1280
	// precedence is the TOS of an ICMP error over IPv4: internetwork control
	// (RFC 1812 section 4.3.2.5).
	precedence = 0xc0
	hopLimit   = 64
)

// MaxPTBSize is the room that AppendPTB needs at most, in bytes.
const MaxPTBSize = maxICMPv6Error

// AppendPTB appends to dst the ICMP message with which a router says that p is
// larger than mtu bytes: Fragmentation Needed (RFC 792, 1191) or Packet Too Big
// (RFC 4443 section 3.2). It goes from where p was going to, as if the far end
// of the tunnel were the router: an address of ours would be a martian to our
// own host. It quotes as much of p as is allowed, unchanged, even if the host has
// yet to complete the checksum.
//
// The error is ErrNoPTB for packets that must not be answered: ICMP errors and
// redirects, fragments except the first, packets from or to addresses that are
// not a single host's (RFC 1122 section 3.2.2, RFC 4443 section 2.4(e)), and
// packets with a damaged header (RFC 1812 section 4.3.2.7).
// RFC 4443 would let a PTB answer a packet to a multicast group; it would have
// to come from the group, which no host accepts.
func AppendPTB(dst []byte, p *Packet, mtu int) ([]byte, error) {
	if !mayBeAnswered(p) {
		return dst, ErrNoPTB
	}
	if p.V6 {
		return appendPTBv6(dst, p, mtu), nil
	}
	return appendPTBv4(dst, p, mtu), nil
}

func appendPTBv4(dst []byte, p *Packet, mtu int) []byte {
	quote := p.Bytes[:min(len(p.Bytes), maxICMPv4Error-ipv4HeaderSize-icmpHeaderSize)]
	start := len(dst)
	total := ipv4HeaderSize + icmpHeaderSize + len(quote)
	dst = append(dst, 4<<4|ipv4HeaderSize/4, precedence)
	dst = binary.BigEndian.AppendUint16(dst, uint16(total))
	dst = append(dst, 0, 0, 0, 0, hopLimit, protoICMP, 0, 0)
	dst = append(dst, p.Bytes[16:20]...)
	dst = append(dst, p.Bytes[12:16]...)
	setIPv4Checksum(dst[start:])

	const unreachable, fragmentationNeeded = 3, 4
	dst = append(dst, unreachable, fragmentationNeeded, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(mtu))
	dst = append(dst, quote...)
	icmp := dst[start+ipv4HeaderSize:]
	sum(0).add(icmp).putChecksum(icmp[2:])
	return dst
}

func appendPTBv6(dst []byte, p *Packet, mtu int) []byte {
	quote := p.Bytes[:min(len(p.Bytes), maxICMPv6Error-ipv6HeaderSize-icmpHeaderSize)]
	start := len(dst)
	dst = append(dst, 6<<4, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(icmpHeaderSize+len(quote)))
	dst = append(dst, protoICMPv6, hopLimit)
	dst = append(dst, p.Bytes[24:40]...)
	dst = append(dst, p.Bytes[8:24]...)

	const packetTooBig = 2
	dst = append(dst, packetTooBig, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(mtu))
	dst = append(dst, quote...)
	packet := dst[start:]
	icmp := packet[ipv6HeaderSize:]
	pseudoHeader(packet, protoICMPv6, len(icmp)).add(icmp).putChecksum(icmp[2:])
	return dst
}

// mayBeAnswered applies the rules of RFC 1122, 1812 and 4443 about when no
// error is sent.
func mayBeAnswered(p *Packet) bool {
	if p.LaterFragment || !isHost(p.Source) || !isHost(p.Destination) || !headerValid(p) {
		return false
	}
	rest := p.Bytes[p.Header:]
	switch p.Protocol {
	case protoICMP:
		return !p.V6 && len(rest) > 0 && !isICMPError(rest[0])
	case protoICMPv6:
		const informational, redirect = 0x80, 137
		return p.V6 && len(rest) > 0 && rest[0]&informational != 0 && rest[0] != redirect
	case protoHopByHop, protoRouting, protoFragment, protoDestination:
		return !p.V6 // too many headers to see whether an ICMP error is behind them
	}
	return true
}

// isHost reports whether an address can be a single host's on a network: not
// this network's own, loopback, a group's, or of class E with the broadcast
// address. That of one subnet is not known here.
func isHost(a netip.Addr) bool {
	if a.Is4() {
		const classD = 224
		first := a.As4()[0]
		return first != 0 && first < classD && !a.IsLoopback()
	}
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

// isICMPError tells the errors among the ICMP types (RFC 1122 section 3.2.2). It
// takes unknown types for errors.
func isICMPError(kind uint8) bool {
	switch kind {
	case 0, 8, 9, 10, 13, 14, 15, 16, 17, 18: // echo, router, timestamp, information, mask
		return false
	}
	return true
}
