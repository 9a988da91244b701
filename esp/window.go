package esp

// WindowSize is how many sequence numbers up to the highest one are
// remembered.
const WindowSize = 8192

const (
	wordBits = 64
	// One word more than the window has, so that its oldest word may be
	// partly stale (RFC 6479).
	windowWords = WindowSize/wordBits + 1
)

// Window is the anti-replay window (RFC 4303 section 3.4.3) as a ring of
// words in the manner of RFC 6479: moving it clears whole words and shifts
// nothing. The same bits are the receive report. The zero value is ready. It
// is not safe for concurrent use.
type Window struct {
	highest uint32
	bits    [windowWords]uint64
}

// Highest returns the greatest number accepted so far, 0 before the first.
func (w *Window) Highest() uint32 { return w.highest }

// Check reports whether a packet with this number may be new. It changes
// nothing: the caller passes the number to Accept once the packet is known to
// be authentic. The error is ErrReplay or ErrTooOld; the number 0 is never sent
// and counts as too old.
func (w *Window) Check(seq uint32) error {
	switch {
	case seq > w.highest:
		return nil
	case seq == 0, w.highest-seq >= WindowSize:
		return ErrTooOld
	case w.has(seq):
		return ErrReplay
	}
	return nil
}

// Accept marks a number as received. Check must have let the number pass.
func (w *Window) Accept(seq uint32) {
	if seq > w.highest {
		first, last := w.highest/wordBits+1, seq/wordBits
		if last-w.highest/wordBits >= windowWords {
			w.bits = [windowWords]uint64{}
		} else {
			for word := first; word <= last; word++ {
				w.bits[word%windowWords] = 0
			}
		}
		w.highest = seq
	}
	w.bits[seq/wordBits%windowWords] |= 1 << (seq % wordBits)
}

// has reports the bit of a number within the window.
func (w *Window) has(seq uint32) bool {
	return w.bits[seq/wordBits%windowWords]&(1<<(seq%wordBits)) != 0
}

// Report fills bits with the receive report and returns the highest number:
// bit i of bits[k] says whether the number highest-64k-i was received, so the
// first bit is the highest number's. Numbers before the first and numbers
// behind the window read as not received.
func (w *Window) Report(bits []uint64) (highest uint32) {
	for k := range bits {
		bits[k] = 0
		for i := range uint32(wordBits) {
			back := uint32(k)*wordBits + i
			if back >= WindowSize || back >= w.highest {
				return w.fill(bits[k+1:])
			}
			if w.has(w.highest - back) {
				bits[k] |= 1 << i
			}
		}
	}
	return w.highest
}

// fill ends a report that reaches back further than there are numbers.
func (w *Window) fill(rest []uint64) uint32 {
	clear(rest)
	return w.highest
}
