package tunnel

import (
	"encoding/binary"
	"net/netip"

	"fathom/esp"
)

const (
	ipv4HeaderSize = 20
	ipv6HeaderSize = 40
)

// innerPacket is what the tunnel needs to know of an inner packet.
type innerPacket struct {
	// bytes is the packet as long as its own header says: padding behind it
	// (RFC 4303 section 2.7) is cut off.
	bytes       []byte
	source      netip.Addr
	destination netip.Addr
	nextHeader  uint8 // of ESP: esp.NextHeaderIPv4 or esp.NextHeaderIPv6
}

// parseInner reads the fixed IP header. It fails on what is not IP, or claims
// to be longer than it is.
func parseInner(b []byte) (p innerPacket, ok bool) {
	if len(b) == 0 {
		return p, false
	}
	var length int
	switch b[0] >> 4 {
	case 4:
		if len(b) < ipv4HeaderSize {
			return p, false
		}
		header := int(b[0]&0x0f) * 4
		length = int(binary.BigEndian.Uint16(b[2:]))
		if header < ipv4HeaderSize || length < header {
			return p, false
		}
		p.source = netip.AddrFrom4([4]byte(b[12:16]))
		p.destination = netip.AddrFrom4([4]byte(b[16:20]))
		p.nextHeader = esp.NextHeaderIPv4
	case 6:
		if len(b) < ipv6HeaderSize {
			return p, false
		}
		length = ipv6HeaderSize + int(binary.BigEndian.Uint16(b[4:]))
		p.source = netip.AddrFrom16([16]byte(b[8:24]))
		p.destination = netip.AddrFrom16([16]byte(b[24:40]))
		p.nextHeader = esp.NextHeaderIPv6
	default:
		return p, false
	}
	if length > len(b) {
		return innerPacket{}, false
	}
	p.bytes = b[:length]
	return p, true
}
