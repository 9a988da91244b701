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

// add16 adds a number that stands in a header in network order.
func (s sum) add16(n uint16) sum {
	v, c := bits.Add64(uint64(s), uint64(bits.ReverseBytes16(n)), 0)
	return sum(v + c)
}

// fold returns the sum in 16 bits, for put and for comparison.
func (s sum) fold() uint16 {
	v := uint64(s)
	v = v>>32 + v&0xffffffff
	v = v>>32 + v&0xffffffff
	v = v>>16 + v&0xffff
	v = v>>16 + v&0xffff
	v = v>>16 + v&0xffff
	return uint16(v)
}

// putChecksum stores the checksum: the complement of the sum.
func (s sum) putChecksum(field []byte) { binary.LittleEndian.PutUint16(field, ^s.fold()) }

// putPartial stores the sum itself, which whoever completes the checksum
// starts from.
func (s sum) putPartial(field []byte) { binary.LittleEndian.PutUint16(field, s.fold()) }

// valid reports whether a sum that includes the checksum field is right.
func (s sum) valid() bool { return s.fold() == 0xffff }

// pseudoHeader returns the sum of the pseudo-header of a TCP or UDP packet
// whose header and payload have the given length (RFC 9293 section 3.1,
// RFC 8200 section 8.1). header begins with the IP header.
func pseudoHeader(header []byte, protocol uint8, length int) sum {
	var s sum
	if header[0]>>4 == 6 {
		s = s.add(header[8:40])
	} else {
		s = s.add(header[12:20])
	}
	return s.add16(uint16(length >> 16)).add16(uint16(length)).add16(uint16(protocol))
}

// setIPv4Checksum computes the checksum of an IPv4 header of the given length.
func setIPv4Checksum(header []byte) {
	header[10], header[11] = 0, 0
	sum(0).add(header).putChecksum(header[10:])
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
