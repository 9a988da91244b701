package netlab

import "encoding/binary"

// appendPTB appends the PTB that a router sends back for an IP packet of which only
// mtu bytes would fit: Fragmentation Needed (RFC 1191) or Packet Too Big (RFC 4443).
// Its source is the packet's destination. It returns nil for what a router must not
// answer (ICMP itself) and for what is no IP packet.
func appendPTB(dst, packet []byte, mtu int) []byte {
	const (
		icmp, icmp6         = 1, 58
		header4, header6    = 20, 40
		icmpHeader          = 8
		longest4, longest6  = 576, 1280 // of an ICMP error
		source4, source6    = 12, 8
		address4, address6  = 4, 16
		unreachable, needed = 3, 4
		packetTooBig        = 2
		hops                = 64
	)
	switch {
	case len(packet) >= header4 && packet[0]>>4 == 4 && packet[9] != icmp:
		quote := packet[:min(len(packet), longest4-header4-icmpHeader)]
		header := make([]byte, header4)
		header[0], header[8], header[9] = 0x45, hops, icmp
		binary.BigEndian.PutUint16(header[2:], uint16(header4+icmpHeader+len(quote)))
		copy(header[source4:], packet[source4+address4:][:address4])
		copy(header[source4+address4:], packet[source4:][:address4])
		binary.BigEndian.PutUint16(header[10:], Checksum(0, header))
		message := append([]byte{unreachable, needed, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, quote...)
		binary.BigEndian.PutUint16(message[2:], Checksum(0, message))
		return append(append(dst, header...), message...)
	case len(packet) >= header6 && packet[0]>>4 == 6 && packet[6] != icmp6:
		quote := packet[:min(len(packet), longest6-header6-icmpHeader)]
		header := make([]byte, header6)
		header[0], header[6], header[7] = 0x60, icmp6, hops
		binary.BigEndian.PutUint16(header[4:], uint16(icmpHeader+len(quote)))
		copy(header[source6:], packet[source6+address6:][:address6])
		copy(header[source6+address6:], packet[source6:][:address6])
		message := append([]byte{packetTooBig, 0, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, quote...)
		pseudo := uint32(icmp6 + len(message)) // the rest of the pseudo-header is the addresses
		binary.BigEndian.PutUint16(message[2:], Checksum(onesSum(pseudo, header[source6:]), message))
		return append(append(dst, header...), message...)
	}
	return nil
}

// onesSum adds 16-bit words to a sum (RFC 1071).
func onesSum(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

// Checksum returns the Internet checksum (RFC 1071) of b; sum is that of what comes before it,
// 0 for nothing.
func Checksum(sum uint32, b []byte) uint16 {
	for sum = onesSum(sum, b); sum>>16 != 0; {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
