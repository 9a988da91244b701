package inner

import (
	"encoding/binary"
	"time"
)

const (
	// reassemblySlots is how many payloads are remembered, the last to arrive:
	// enough for the largest packet on the narrowest path, and as much again.
	// Their numbers may be far apart where several senders share an SA. A power
	// of two.
	reassemblySlots = 256
	// reassemblyMemory bounds the bytes that are held for one SA.
	reassemblyMemory = 1 << 20
	// maxBetween is how many other packets of the SA there may be between two
	// payloads of one packet.
	maxBetween = 16
	// reassemblyTime is how long a payload waits for the rest of its packet. By
	// then the sender has sent the packet again.
	reassemblyTime = 2 * time.Second
)

// Reassembler puts together what Splitter has cut, in any order of arrival
// (RFC 9347 section 2.2.3). Only their place in the SA's sequence tells which
// payloads belong together:
//
//	number        7          8          9          10         11
//	            A, begins  A, ends    (lost)     another    B, ends
//	block offset  0          300                            300
//
// A payload continues the packet that the nearest payload before it has left
// open, if as many bytes are open as the block offset says, and if every number
// between them is accounted for. Number 11 would have the right length to end A,
// but number 9 is unknown: B may have begun there. So a loss costs the packet that
// it hits, and never makes one packet out of two.
//
// Its memory is bounded: the oldest payload makes room, and its packet is lost.
// The zero value is ready. It is not safe for concurrent use. One Reassembler
// serves one SA.
type Reassembler struct {
	// Arrived reports whether a packet with the given number has been let in
	// by the SA. If nil, a payload continues only the one with the number before.
	Arrived func(seq uint32) bool

	slots   []piece                  // in the order of arrival, around; made when first used
	numbers *[reassemblySlots]uint32 // of the slots, made with them; 0 is no packet's
	newest  int                      // the slot that was filled last
	held    int                      // bytes that the slots have room for
	out     []byte
}

// piece is what one payload has of packets that are not in it as a whole:
//
//	|<-- rest -->|                          |<- begun ->|
//	| the end of | whole packets, delivered | beginning |   ... open bytes
//	| a packet   | at once, not kept        | of one    |       to follow
//
// Where the payload is in the midst of a packet there is only rest, and bytes
// are open behind it.
type piece struct {
	padding   bool // there is no packet in it: fragments go on behind it
	seq       uint32
	tos       uint8 // of the outer packet
	at        time.Time
	continued int    // the block offset: bytes that were open before it
	open      int    // bytes that are open behind it
	rest      int    // how many bytes of data are rest
	data      []byte // rest, then begun
}

// Add takes in the payload of the packet with the sequence number seq, which
// the SA has authenticated and lets in once, and calls deliver for each inner
// packet that is now complete, in their order, with the TOS octet or traffic
// class of the outer packet around its beginning; the ECN field of that is CE if
// any of its outer packets was marked (RFC 3168 section 5.3). The bytes given to
// deliver are valid during the call. The error is ErrMalformed, also behind
// good packets.
func (r *Reassembler) Add(seq uint32, tos uint8, payload []byte, now time.Time, deliver func(packet []byte, tos uint8)) error {
	if len(payload) < aggfragHeaderSize || payload[0] != 0 || payload[1] != 0 {
		return ErrMalformed
	}
	continued := int(binary.BigEndian.Uint16(payload[2:]))
	blocks := payload[aggfragHeaderSize:]
	rest := blocks[:min(continued, len(blocks))]
	whole, begun, open, err := dataBlocks(blocks[len(rest):])
	if len(begun) == 0 {
		open = continued - len(rest)
	}
	p := r.keep(seq, tos, now)
	if p == nil {
		return err // known
	}
	p.padding = len(rest)+len(whole)+len(begun) == 0 && err == nil
	p.continued, p.open, p.rest = continued, open, len(rest)
	r.hold(p, rest, begun)

	if len(rest) > 0 {
		r.finish(p, now, deliver)
	}
	for len(whole) > 0 {
		length, _ := lengthOf(whole)
		deliver(whole[:length], tos)
		whole = whole[length:]
	}
	if len(begun) > 0 {
		r.complete(p, now, deliver)
	}
	return err
}

// dataBlocks divides the data blocks of a payload, up to padding: the packets
// that are there as a whole, and the beginning of one of which open bytes are
// missing.
func dataBlocks(b []byte) (whole, begun []byte, open int, err error) {
	at := 0
	for at < len(b) && b[at]>>4 != 0 { // 0: padding up to the end
		length, ok := lengthOf(b[at:])
		if !ok {
			return b[:at], nil, 0, ErrMalformed
		}
		if length > len(b)-at {
			return b[:at], b[at:], length - (len(b) - at), nil
		}
		at += length
	}
	return b[:at], nil, 0, nil
}

// keep returns the slot for a payload, emptied, or nil if it is there already.
func (r *Reassembler) keep(seq uint32, tos uint8, now time.Time) *piece {
	if r.slots == nil {
		r.slots, r.numbers = make([]piece, reassemblySlots), new([reassemblySlots]uint32)
	}
	if r.piece(seq) != nil {
		return nil
	}
	r.newest = (r.newest + 1) % reassemblySlots
	r.numbers[r.newest] = seq
	p := &r.slots[r.newest]
	*p = piece{seq: seq, tos: tos, at: now, data: p.data[:0]}
	return p
}

// hold copies the incomplete packets of a payload, the newest. The oldest
// payloads make room.
func (r *Reassembler) hold(p *piece, rest, begun []byte) {
	r.held -= cap(p.data)
	p.data = append(append(p.data, rest...), begun...)
	r.held += cap(p.data)
	for i := r.newest + 1; r.held > reassemblyMemory && i != r.newest+reassemblySlots; i++ {
		oldest := i % reassemblySlots
		r.held -= cap(r.slots[oldest].data)
		r.slots[oldest], r.numbers[oldest] = piece{}, 0
	}
}

// piece returns the payload with the given number, nil if it is not there. Most
// callers ask for one that has just come.
func (r *Reassembler) piece(seq uint32) *piece {
	if seq == 0 {
		return nil
	}
	for i := range reassemblySlots {
		if at := (r.newest - i) & (reassemblySlots - 1); r.numbers[at] == seq {
			return &r.slots[at]
		}
	}
	return nil
}

// neighbour returns the nearest payload after p (step 1) or before it (-1)
// that has packets in it, nil if an unknown payload may lie between.
func (r *Reassembler) neighbour(p *piece, step uint32) *piece {
	seq := p.seq
	for range maxBetween + 1 {
		seq += step
		if q := r.piece(seq); q == nil {
			if r.Arrived == nil || !r.Arrived(seq) {
				return nil
			}
		} else if !q.padding {
			return q
		}
	}
	return nil
}

// after returns the payload that goes on where p ends, nil if it is not there.
func (r *Reassembler) after(p *piece, open int) *piece {
	if q := r.neighbour(p, 1); q != nil && q.rest > 0 && q.continued == open {
		return q
	}
	return nil
}

// finish delivers the packet that p goes on with if all of it is there.
func (r *Reassembler) finish(p *piece, now time.Time, deliver func([]byte, uint8)) {
	if open := p.continued - p.rest; open > 0 && r.after(p, open) == nil {
		return // as always when payloads come in order
	}
	for range reassemblySlots {
		before := r.neighbour(p, ^uint32(0))
		if before == nil || before.open != p.continued {
			return
		}
		if before.begun() > 0 {
			r.complete(before, now, deliver)
			return
		}
		p = before
	}
}

func (p *piece) begun() int { return len(p.data) - p.rest }

// complete delivers the packet that begins in first if all of it is there. A
// packet is delivered once: by the last of its payloads, which comes once.
func (r *Reassembler) complete(first *piece, now time.Time, deliver func([]byte, uint8)) {
	if first.continued == 0 {
		// If a packet is open before it, two were split at the same time, and
		// any payload may be of either.
		if before := r.neighbour(first, ^uint32(0)); before != nil && before.open > 0 {
			return
		}
	}
	r.out = append(r.out[:0], first.data[first.rest:]...)
	p, tos := first, first.tos
	for open := first.open; open > 0 && now.Sub(p.at) <= reassemblyTime; open -= p.rest {
		if p = r.after(p, open); p == nil {
			return
		}
		r.out = append(r.out, p.data[:p.rest]...)
		if p.tos&ecnMask == ce {
			tos |= ce
		}
	}
	if now.Sub(p.at) <= reassemblyTime {
		deliver(r.out, tos)
	}
}

// lengthOf returns the length of the IP packet that b begins with, as its
// header says. The header must be there as far as its length field.
func lengthOf(b []byte) (length int, ok bool) {
	switch b[0] >> 4 {
	case 4:
		if len(b) < 4 {
			return 0, false
		}
		length = int(binary.BigEndian.Uint16(b[2:]))
		return length, length >= ipv4HeaderSize
	case 6:
		if len(b) < 6 {
			return 0, false
		}
		return ipv6HeaderSize + int(binary.BigEndian.Uint16(b[4:])), true
	}
	return 0, false
}
