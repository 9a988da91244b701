package inner

import (
	"encoding/binary"
	"math/bits"
)

// sum is a running Internet checksum (RFC 1071): a ones' complement sum of
// 64-bit words. It is computed over little-endian words, which RFC 1071
// section 2(B) allows as long as the result is stored in the same order.
type sum uint64

// add adds bytes, of which all but the last call must have an even number.
func (s sum) add(b []byte) sum {
	v, c := uint64(s), uint64(0)
	// Two chains of carries, which the processor follows side by side.
	w, d := uint64(0), uint64(0)
	for len(b) >= 128 {
		p := (*[128]byte)(b)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[0:]), 0)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[8:]), c)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[16:]), c)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[24:]), c)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[32:]), c)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[40:]), c)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[48:]), c)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[56:]), c)
		v += c
		w, d = bits.Add64(w, binary.LittleEndian.Uint64(p[64:]), 0)
		w, d = bits.Add64(w, binary.LittleEndian.Uint64(p[72:]), d)
		w, d = bits.Add64(w, binary.LittleEndian.Uint64(p[80:]), d)
		w, d = bits.Add64(w, binary.LittleEndian.Uint64(p[88:]), d)
		w, d = bits.Add64(w, binary.LittleEndian.Uint64(p[96:]), d)
		w, d = bits.Add64(w, binary.LittleEndian.Uint64(p[104:]), d)
		w, d = bits.Add64(w, binary.LittleEndian.Uint64(p[112:]), d)
		w, d = bits.Add64(w, binary.LittleEndian.Uint64(p[120:]), d)
		w += d
		b = b[128:]
	}
	v, c = bits.Add64(v, w, 0)
	v += c
	for len(b) >= 8 {
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(b), 0)
		v += c
		b = b[8:]
	}
	tail := uint64(0)
	for i, x := range b {
		tail |= uint64(x) << (8 * i)
	}
	v, c = bits.Add64(v, tail, 0)
	return sum(v + c)
}

// fold returns the sum in 16 bits, for put and for comparison.
func (s sum) fold() uint16 {
	v := uint64(s)
	v = v>>32 + v&0xffffffff
	v = v>>16 + v&0xffff
	v = v>>16 + v&0xffff
	v = v>>16 + v&0xffff
	return uint16(v)
}

// putChecksum stores the checksum: the complement of the sum.
func (s sum) putChecksum(field []byte) { binary.LittleEndian.PutUint16(field, ^s.fold()) }

// putPartial stores the sum itself: the start for completing the checksum later.
func (s sum) putPartial(field []byte) { binary.LittleEndian.PutUint16(field, s.fold()) }

// valid reports whether a sum that includes the checksum field is right.
func (s sum) valid() bool { return s.fold() == 0xffff }

// pseudoHeader returns the sum of the pseudo-header of a TCP or UDP packet
// whose header and payload have the given length (RFC 9293 section 3.1,
// RFC 8200 section 8.1). header begins with the IP header.
func pseudoHeader(header []byte, protocol uint8, length int) sum {
	// These cannot overflow: they are 16 bits each.
	v := uint64(bits.ReverseBytes16(uint16(length>>16))) + uint64(bits.ReverseBytes16(uint16(length))) + uint64(protocol)<<8
	var c uint64
	if header[0]>>4 == 6 {
		p := (*[32]byte)(header[8:])
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[0:]), 0)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[8:]), c)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[16:]), c)
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(p[24:]), c)
	} else {
		v, c = bits.Add64(v, binary.LittleEndian.Uint64(header[12:]), 0)
	}
	return sum(v + c)
}

// sumIPv4 returns the sum of an IPv4 header without options: apart from add,
// so that it is inlined.
func sumIPv4(p *[ipv4HeaderSize]byte) sum {
	v, c := bits.Add64(binary.LittleEndian.Uint64(p[:]), binary.LittleEndian.Uint64(p[8:]), 0)
	v, c = bits.Add64(v, uint64(binary.LittleEndian.Uint32(p[16:])), c)
	return sum(v + c)
}

// setIPv4Checksum computes the checksum of an IPv4 header of the given length.
func setIPv4Checksum(header []byte) {
	header[10], header[11] = 0, 0
	s := sumIPv4((*[ipv4HeaderSize]byte)(header))
	if len(header) > ipv4HeaderSize {
		s = s.add(header[ipv4HeaderSize:])
	}
	s.putChecksum(header[10:])
}

// headerValid verifies the checksum of the IPv4 header; IPv6 has none. Code that
// computes it anew has to call this first, or a damaged header becomes a good one.
func headerValid(p *Packet) bool {
	if p.V6 {
		return true
	}
	s := sumIPv4((*[ipv4HeaderSize]byte)(p.Bytes))
	if p.Header > ipv4HeaderSize {
		s = s.add(p.Bytes[ipv4HeaderSize:p.Header])
	}
	return s.valid()
}

// replace16 changes a 16-bit field that a checksum covers, and the checksum
// with it (RFC 1624). Both fields are at even offsets.
func replace16(field, checksum []byte, value uint16) {
	old := binary.BigEndian.Uint16(field)
	binary.BigEndian.PutUint16(field, value)
	// HC' = ~(~HC + ~m + m')
	s := uint32(^binary.BigEndian.Uint16(checksum)) + uint32(^old) + uint32(value)
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	binary.BigEndian.PutUint16(checksum, ^uint16(s))
}
