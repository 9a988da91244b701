package netlab

import (
	"encoding/binary"
	"net/netip"
)

// Readdress gives an IP packet another source, another destination, or both, as a NAT
// does, and mends its checksums. An invalid address stands for the packet's own; one of
// the other family changes nothing. Of what is inside, it knows UDP.
func Readdress(packet []byte, source, destination netip.Addr) {
	const udp, checksumAt = 17, 6
	if len(packet) < 20 {
		return
	}
	at, size, header, protocol := 12, 4, int(packet[0]&15)*4, packet[9]
	if packet[0]>>4 == 6 {
		if len(packet) < 40 {
			return
		}
		at, size, header, protocol = 8, 16, 40, packet[6]
	}
	for i, addr := range []netip.Addr{source, destination} {
		if !addr.IsValid() || addr.BitLen() != 8*size {
			continue
		}
		place, bytes := packet[at+i*size:][:size], addr.AsSlice()
		if size == 4 {
			mend(packet[10:], place, bytes)
		}
		if sum := header + checksumAt; protocol == udp && len(packet) >= sum+2 && (packet[sum] != 0 || packet[sum+1] != 0) {
			mend(packet[sum:], place, bytes)
			if packet[sum] == 0 && packet[sum+1] == 0 { // RFC 768: none was computed
				packet[sum], packet[sum+1] = 0xff, 0xff
			}
		}
		copy(place, bytes)
	}
}

// mend updates a checksum for bytes that are replaced (RFC 1624).
func mend(checksum, from, to []byte) {
	sum := uint32(^binary.BigEndian.Uint16(checksum))
	for i := 0; i < len(from); i += 2 {
		sum += uint32(^binary.BigEndian.Uint16(from[i:])) + uint32(binary.BigEndian.Uint16(to[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(checksum, ^uint16(sum))
}
