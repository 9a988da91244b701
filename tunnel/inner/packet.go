package inner

import (
	"encoding/binary"
	"net/netip"
)

// Protocol numbers (IANA "Assigned Internet Protocol Numbers").
const (
	protoHopByHop    = 0
	protoICMP        = 1
	protoTCP         = 6
	protoUDP         = 17
	protoRouting     = 43
	protoFragment    = 44
	protoICMPv6      = 58
	protoDestination = 60
)

const (
	ipv4HeaderSize = 20 // without options
	ipv6HeaderSize = 40 // without extension headers
	tcpHeaderSize  = 20 // without options
	udpHeaderSize  = 8
	// maxExtensions bounds the extension headers that are looked at.
	maxExtensions = 8
)

// Packet is an inner packet with the results of Parse.
type Packet struct {
	// Bytes is the packet and nothing behind it. It aliases what was parsed.
	Bytes               []byte
	Source, Destination netip.Addr
	V6                  bool
	// TOS is the IPv4 TOS octet or the IPv6 traffic class: DSCP and ECN.
	TOS uint8
	// Protocol is that of the payload behind the IP header and the IPv6
	// extension headers. Of a fragment it is that of the whole packet.
	Protocol uint8
	// Header is where that payload begins, in bytes.
	Header int
	// DontFragment is the DF bit, and true for IPv6.
	DontFragment bool
	// Fragment is set for every fragment, LaterFragment for those that do not
	// contain the beginning of the payload.
	Fragment, LaterFragment bool
	// routed is set when the addresses in the header may not be those in the
	// pseudo-header: a routing header is there (RFC 8200 section 8.1), an IPv4
	// source route, or a home address.
	routed bool
}

// NextHeader returns the number that stands for the packet in an ESP trailer.
func (p *Packet) NextHeader() uint8 {
	if p.V6 {
		return 41
	}
	return 4
}

// UDP returns the ports and the payload of a UDP datagram, of a fragment what is
// there of it. It is not ok if the packet is something else or holds no UDP header.
func (p *Packet) UDP() (source, destination uint16, payload []byte, ok bool) {
	if p.Protocol != protoUDP || p.LaterFragment || len(p.Bytes) < p.Header+udpHeaderSize {
		return 0, 0, nil, false
	}
	header := p.Bytes[p.Header:]
	return binary.BigEndian.Uint16(header), binary.BigEndian.Uint16(header[2:]), header[udpHeaderSize:], true
}

// IsUDP reports whether the payload is UDP.
func (p *Packet) IsUDP() bool { return p.Protocol == protoUDP }

// Parse reads the header of an IP packet and cuts off bytes behind the end that
// the header names. The packet is not ok if it is neither IPv4 nor IPv6, or if it
// is shorter than its header says. Parse does not verify checksums.
func Parse(b []byte) (p Packet, ok bool) {
	if len(b) < ipv4HeaderSize {
		return p, false
	}
	switch b[0] >> 4 {
	case 4:
		ok = p.parse4(b)
	case 6:
		ok = p.parse6(b)
	}
	return p, ok
}

func (p *Packet) parse4(b []byte) (ok bool) {
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < ipv4HeaderSize || total < header || total > len(b) {
		return false
	}
	flags := binary.BigEndian.Uint16(b[6:])
	*p = Packet{
		Bytes:         b[:total:total],
		Source:        netip.AddrFrom4([4]byte(b[12:])),
		Destination:   netip.AddrFrom4([4]byte(b[16:])),
		TOS:           b[1],
		Protocol:      b[9],
		Header:        header,
		DontFragment:  flags&ipv4DF != 0,
		Fragment:      flags&(ipv4MF|ipv4Offset) != 0,
		LaterFragment: flags&ipv4Offset != 0,
		routed:        header > ipv4HeaderSize && sourceRouted(b[ipv4HeaderSize:header]),
	}
	return true
}

// Bits of the IPv4 header's flags and fragment offset.
const (
	ipv4DF     = 0x4000
	ipv4MF     = 0x2000
	ipv4Offset = 0x1fff
)

func (p *Packet) parse6(b []byte) (ok bool) {
	if len(b) < ipv6HeaderSize {
		return false
	}
	total := ipv6HeaderSize + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return false
	}
	*p = Packet{
		Bytes:        b[:total:total],
		Source:       netip.AddrFrom16([16]byte(b[8:])),
		Destination:  netip.AddrFrom16([16]byte(b[24:])),
		V6:           true,
		TOS:          b[0]<<4 | b[1]>>4,
		Protocol:     b[6],
		Header:       ipv6HeaderSize,
		DontFragment: true,
	}
	for range maxExtensions {
		rest := p.Bytes[p.Header:]
		size := 0
		switch p.Protocol {
		case protoHopByHop, protoRouting, protoDestination:
			if len(rest) < 8 {
				return false
			}
			size = 8 + int(rest[1])*8
			if size > len(rest) {
				return false
			}
			p.routed = p.routed || p.Protocol == protoRouting ||
				p.Protocol == protoDestination && homeAddressed(rest[:size])
		case protoFragment:
			size = 8
			if len(rest) < size {
				return false
			}
			offset := binary.BigEndian.Uint16(rest[2:])
			p.Fragment = p.Fragment || offset&^6 != 0 // the offset, or more to come
			p.LaterFragment = p.LaterFragment || offset>>3 != 0
		default:
			return true
		}
		p.Protocol, p.Header = rest[0], p.Header+size
		if p.LaterFragment {
			return true // what follows is not a header
		}
	}
	return true
}
