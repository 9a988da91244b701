package inner

import "encoding/binary"

// FlowHash returns a number that is the same for all packets of a flow, in both
// directions. It is made of the addresses and of the ports of TCP and UDP,
// except in fragments and behind extension headers. Bytes that are no packet
// have a number too.
func FlowHash(packet []byte) uint32 {
	var h uint32
	words := func(b []byte) {
		for ; len(b) >= 4; b = b[4:] {
			h += binary.BigEndian.Uint32(b)
		}
	}
	switch {
	case len(packet) >= ipv4HeaderSize && packet[0]>>4 == 4:
		words(packet[12:20])
		size := int(packet[0]&15) * 4
		whole := binary.BigEndian.Uint16(packet[6:])&0x3fff == 0
		if protocol := packet[9]; whole && (protocol == protoTCP || protocol == protoUDP) && len(packet) >= size+4 {
			h += ports(packet[size:])
		}
	case len(packet) >= ipv6HeaderSize && packet[0]>>4 == 6:
		words(packet[8:40])
		if protocol := packet[6]; (protocol == protoTCP || protocol == protoUDP) && len(packet) >= ipv6HeaderSize+4 {
			h += ports(packet[ipv6HeaderSize:])
		}
	}
	// The finish of MurmurHash3, which is in the public domain.
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}

// ports returns the sum of both ports.
func ports(b []byte) uint32 {
	return uint32(binary.BigEndian.Uint16(b)) + uint32(binary.BigEndian.Uint16(b[2:]))
}
