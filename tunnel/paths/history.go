package paths

import "time"

// A Cause says why the pair in use changed.
type Cause uint8

const (
	CauseStart     Cause = iota // the first pair
	CauseSilent                 // nothing was acknowledged, or nothing was heard
	CauseLinkDown               // the interface, the address or the route is gone
	CausePreferred              // a pair of lower cost is reliable again
	CauseFaster                 // a pair of the same cost has a shorter round trip
	CausePeer                   // the peer said so, or is somewhere else now
)

var causeNames = [...]string{"start", "silent", "link_down", "preferred", "faster", "peer"}

func (c Cause) String() string { return causeNames[c] }

// voluntary reports whether the former pair worked still.
func (c Cause) voluntary() bool { return c == CausePreferred || c == CauseFaster }

// A Move is one change of the pair in use.
type Move struct {
	At       time.Time
	From, To Pair // zero: none
	Cause    Cause
}

// historyMoves is how many moves are remembered.
const historyMoves = 16

// A history holds the last moves, oldest first.
type history struct {
	moves []Move
}

// add appends a move, and drops the oldest when there are too many.
func (h *history) add(m Move) {
	if len(h.moves) == historyMoves {
		h.moves = append(h.moves[:0], h.moves[1:]...)
	}
	h.moves = append(h.moves, m)
}

// LastCause returns why the pair in use was changed last; false: there was none.
func (s *Set) LastCause() (Cause, bool) {
	if len(s.history.moves) == 0 {
		return 0, false
	}
	return s.history.moves[len(s.history.moves)-1].Cause, true
}

// History returns the last moves, oldest first. The slice is the caller's.
func (s *Set) History() []Move { return append([]Move(nil), s.history.moves...) }
