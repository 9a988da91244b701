package esp

// Numbers are consecutive sequence numbers of one SA, each for one packet:
// nobody else's packet comes between them. A copy must not be used beside the
// original. The zero value has none.
type Numbers struct {
	of        *Outbound
	next, end uint32 // end is behind the last
}

// Reserve takes the next count numbers, at least 1. Those that are not used are
// packets that the receiver believes lost. The error is ErrExhausted.
func (o *Outbound) Reserve(count int) (Numbers, error) {
	last := o.next.Add(uint64(count))
	if last > maxSequence {
		return Numbers{}, ErrExhausted
	}
	return Numbers{of: o, next: uint32(last) - uint32(count) + 1, end: uint32(last) + 1}, nil
}

// take returns the next number.
func (n *Numbers) take(o *Outbound) uint32 {
	if n.of != o || n.next == n.end {
		panic("esp: no sequence number is reserved for the packet")
	}
	seq := n.next
	n.next++
	return seq
}

// Next returns the number that is used next, if one is left.
func (n *Numbers) Next() uint32 { return n.next }

// Left returns how many there still are.
func (n *Numbers) Left() int { return int(n.end - n.next) }
