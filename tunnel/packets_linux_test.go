package tunnel

import (
	"encoding/binary"
	"net/netip"
)

// ipv4Packet returns an IPv4 packet of the given size. Only the fields that the
// tunnel reads have meaning.
func ipv4Packet(source, destination string, size int) []byte {
	b := make([]byte, size)
	b[0] = 0x45
	b[2], b[3] = byte(size>>8), byte(size)
	copy(b[12:], netip.MustParseAddr(source).AsSlice())
	copy(b[16:], netip.MustParseAddr(destination).AsSlice())
	return b
}

// ipv6Packet is ipv4Packet for IPv6.
func ipv6Packet(source, destination string, size int) []byte {
	b := make([]byte, size)
	b[0] = 0x60
	b[4], b[5] = byte((size-40)>>8), byte(size-40)
	copy(b[8:], netip.MustParseAddr(source).AsSlice())
	copy(b[24:], netip.MustParseAddr(destination).AsSlice())
	return b
}

// sumHeader gives an IPv4 packet the checksum of its header. Without it no surgery
// is done.
func sumHeader(b []byte) {
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], ^sum16(b[:20]))
}
