package esp

// SizeStep is how far apart the outer sizes are that a packet can have, in bytes.
const SizeStep = alignment

// Outer sizes are of whole outer IP packets: IP header, UDP header and ESP
// packet, in bytes.
const (
	ipv4Header = 20
	ipv6Header = 40
	udpHeader  = 8
)

// OuterOverhead returns what IP and UDP add to an ESP packet.
func OuterOverhead(outerIPv6 bool) int {
	if outerIPv6 {
		return ipv6Header + udpHeader
	}
	return ipv4Header + udpHeader
}

// PacketSize returns the size of the ESP packet with a payload of the given
// size, both in bytes.
func PacketSize(payload int) int {
	return HeaderSize + payload + paddingOf(payload) + trailerSize + ICVSize
}

// ExactOuterSize returns the largest outer size up to plpmtu that an ESP
// packet can have: they come in steps of the alignment.
func ExactOuterSize(outerIPv6 bool, plpmtu int) int {
	overhead := OuterOverhead(outerIPv6)
	if plpmtu < overhead+minPacket {
		return 0
	}
	return overhead + (plpmtu-overhead)/alignment*alignment
}

// InnerMTU returns the size of the largest inner packet that fits an outer
// packet of plpmtu bytes, 0 if none does.
func InnerMTU(outerIPv6 bool, plpmtu int) int {
	size := ExactOuterSize(outerIPv6, plpmtu)
	if size == 0 {
		return 0
	}
	return size - OuterOverhead(outerIPv6) - HeaderSize - trailerSize - ICVSize
}

// paddingOf returns the padding bytes that a payload needs.
func paddingOf(payload int) int {
	return -(payload + trailerSize) & (alignment - 1)
}
