package inner

import (
	"encoding/binary"
	"time"
)

const (
	// reassemblySlots is how many payloads wait for the rest of their packets
	// at most.
	reassemblySlots = 64
	// maxGap is by how many sequence numbers the payloads of one packet may be
	// apart: other goroutines may have sealed something in between.
	maxGap = 4
	// ReassemblyTime is how long a payload waits. What is that late has been
	// sent again.
	ReassemblyTime = 2 * time.Second
)

// Reassembler puts together what Splitter has cut, in any order of arrival
// (RFC 9347 section 2.2.3). Its memory is bounded: the oldest payload makes
// room, and its packet is lost. The zero value is ready. It is not safe for
// concurrent use. One Reassembler serves one SA.
type Reassembler struct {
	slots [reassemblySlots]piece
	next  int // slot to be used next
	out   []byte
}

// piece is what one payload has of packets that are not in it as a whole.
type piece struct {
	used      bool
	seq       uint32
	at        time.Time
	continued int    // bytes that are missing of the packet begun before; 0: none
	rest      []byte // of that packet, as far as it is in this payload
	begun     []byte // the beginning of a packet that goes on
}

// Add takes in the payload of the packet with the sequence number seq, which
// the SA has authenticated and lets in once, and calls deliver for each inner
// packet that is now complete. The bytes given to deliver are valid during the
// call. The error is ErrMalformed.
func (r *Reassembler) Add(seq uint32, payload []byte, now time.Time, deliver func(packet []byte)) error {
	if len(payload) < aggfragHeaderSize || payload[0] != 0 || payload[1] != 0 {
		return ErrMalformed
	}
	continued := int(binary.BigEndian.Uint16(payload[2:]))
	blocks := payload[aggfragHeaderSize:]
	rest := blocks[:min(continued, len(blocks))]
	blocks = blocks[len(rest):]
	for len(blocks) > 0 && blocks[0]>>4 != 0 { // 0: padding up to the end
		length, ok := lengthOf(blocks)
		if !ok {
			return ErrMalformed
		}
		if length > len(blocks) {
			break
		}
		deliver(blocks[:length])
		blocks = blocks[length:]
	}
	if len(blocks) > 0 && blocks[0]>>4 == 0 {
		blocks = nil
	}
	if len(rest) == 0 && len(blocks) == 0 {
		return nil
	}
	slot := r.keep(seq, continued, rest, blocks, now)
	// This payload may end a packet, and may begin one.
	if slot.continued > 0 {
		if first := r.beginning(slot); first != nil {
			r.complete(first, now, deliver)
		}
	}
	if slot.begun != nil {
		r.complete(slot, now, deliver)
	}
	return nil
}

// keep copies what is not complete into a slot.
func (r *Reassembler) keep(seq uint32, continued int, rest, begun []byte, now time.Time) *piece {
	slot := &r.slots[r.next]
	r.next = (r.next + 1) % reassemblySlots
	buffer := append(append(slot.rest[:0], rest...), begun...)
	*slot = piece{used: true, seq: seq, at: now, continued: continued, rest: buffer[:len(rest):len(buffer)]}
	if len(begun) > 0 {
		slot.begun = buffer[len(rest):]
	}
	return slot
}

// beginning finds the payload in which the packet begins that slot continues.
func (r *Reassembler) beginning(slot *piece) *piece {
	for range reassemblySlots {
		before := r.before(slot)
		if before == nil || before.begun != nil {
			return before
		}
		slot = before
	}
	return nil
}

// before finds the payload that slot continues: the nearest one before it that
// leaves as much open as slot says.
func (r *Reassembler) before(slot *piece) (found *piece) {
	for i := range r.slots {
		p := &r.slots[i]
		gap := slot.seq - p.seq // numbers do not wrap within an SA
		if p.used && gap >= 1 && gap <= maxGap && p.open() == slot.continued && (found == nil || p.seq > found.seq) {
			found = p
		}
	}
	return found
}

// after finds the payload that goes on where slot ends.
func (r *Reassembler) after(slot *piece) (found *piece) {
	for i := range r.slots {
		p := &r.slots[i]
		gap := p.seq - slot.seq
		if p.used && gap >= 1 && gap <= maxGap && p.continued == slot.open() && (found == nil || p.seq < found.seq) {
			found = p
		}
	}
	return found
}

// open returns how many bytes must follow in later payloads; 0 means none.
func (p *piece) open() int {
	if p.begun != nil {
		length, _ := lengthOf(p.begun)
		return length - len(p.begun)
	}
	return p.continued - len(p.rest)
}

// complete delivers the packet that begins in first if all of it is there.
func (r *Reassembler) complete(first *piece, now time.Time, deliver func([]byte)) {
	r.out = append(r.out[:0], first.begun...)
	used := [reassemblySlots]*piece{}
	n := 0
	for last := first; last.open() > 0; n++ {
		next := r.after(last)
		if next == nil || n == reassemblySlots || now.Sub(next.at) > ReassemblyTime || now.Sub(first.at) > ReassemblyTime {
			return
		}
		r.out = append(r.out, next.rest...)
		used[n] = next
		last = &piece{seq: next.seq, continued: next.continued, rest: next.rest}
	}
	for _, p := range used[:n] {
		p.continued, p.rest = 0, p.rest[:0]
		p.used = p.begun != nil
	}
	first.begun = nil
	first.used = first.continued > 0
	deliver(r.out)
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
