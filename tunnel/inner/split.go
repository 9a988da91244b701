package inner

import "encoding/binary"

// An AGGFRAG payload (RFC 9347 section 2.2.1) begins with
//
//	┌────────────┬────────────┬──────────────────────────┐
//	│ sub-type 0 │ reserved 0 │ block offset             │
//	├────────────┴────────────┴──────────────────────────┤
//	│ data blocks: the rest of the packet that the       │
//	│ payloads before have begun (block offset bytes,    │
//	│ which may be more than there are here), then       │
//	│ further IP packets, the last of which may go on    │
//	│ in the next payload; then padding                  │
//	└────────────────────────────────────────────────────┘
const aggfragHeaderSize = 4

// minSplit is the smallest payload that Split can cut to, in bytes.
const minSplit = aggfragHeaderSize + ipv6HeaderSize

// Splitter cuts an inner packet that may not be cut otherwise into tunnel
// fragments: AGGFRAG payloads (RFC 9347 section 2.2). They have to be sealed
// under consecutive sequence numbers, or the far end may drop them. The zero
// value has none. It is reused from packet to packet and allocates nothing.
//
// Of RFC 9347 it uses fragmentation alone: one packet is in several payloads,
// never several in one, nothing is sent at a constant rate, and other payloads
// travel on the same SA.
type Splitter struct {
	packet []byte // not changed
	offset int    // where the unwritten part begins
	size   int    // of each payload at most
}

// Split prepares to cut p into payloads of at most size bytes. The packet must
// stay unchanged until the last payload is written. The error is ErrTooSmall.
func (s *Splitter) Split(p *Packet, size int) error {
	*s = Splitter{}
	if size < minSplit {
		return ErrTooSmall
	}
	s.packet, s.size = p.Bytes, size
	return nil
}

// Payloads returns how many payloads are still to come.
func (s *Splitter) Payloads() int {
	if s.size == 0 {
		return 0
	}
	most := s.size - aggfragHeaderSize
	return (len(s.packet) - s.offset + most - 1) / most
}

// Next appends the next payload to dst. It returns false when no payload is left.
func (s *Splitter) Next(dst []byte) ([]byte, bool) {
	rest := s.packet[s.offset:]
	if len(rest) == 0 {
		return dst, false
	}
	continued := len(rest)
	if s.offset == 0 {
		continued = 0
	}
	n := min(len(rest), s.size-aggfragHeaderSize)
	dst = append(dst, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(continued))
	s.offset += n
	return append(dst, rest[:n]...), true
}
