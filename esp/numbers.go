package esp

// Numbers are consecutive sequence numbers of one SA, each for one packet. No
// other caller gets a number between them. A copy must not be used beside the
// original. The zero value is empty.
type Numbers struct {
	of        *Outbound
	next, end uint32 // end is behind the last
}

// Reserve takes the next count numbers, at least 1. The receiver takes an unused
// number for a lost packet. The error is ErrExhausted.
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

// Next returns the number to be used next. It is valid while Left is not 0.
func (n *Numbers) Next() uint32 { return n.next }

// Left returns how many numbers are left.
func (n *Numbers) Left() int { return int(n.end - n.next) }
