package history

import (
	"slices"
	"time"
)

// patience is how long a search may take until the PLPMTU that it has reached so far is
// recorded.
const patience = 2 * time.Second

// first is the cause of the first PLPMTU, whichever step of its search was seen first.
const first = "start"

// reductions are the causes that begin another search, even in the middle of one that has
// got somewhere.
var reductions = []string{"black hole", "PTB", "EMSGSIZE", "egress MTU", "loss by size"}

// sizeWatch tells of changes of a PLPMTU. A search goes through sizes that do not last,
// and a suspicion may prove false: the change is told when the search has ended, with the
// cause that began it, or not at all. Where the path shrinks again before that, the size
// that the first search had reached is told as well.
type sizeWatch struct {
	told  int       // the PLPMTU as it was last told; 0: never
	since time.Time // when it was first seen to be another; zero: it is not
	cause string    // of that
	seen  int       // the PLPMTU at the last look
	grew  bool      // when it last changed, in this search
}

// suspend forgets a change that has not been told: the path is gone.
func (w *sizeWatch) suspend() { w.since, w.seen, w.grew = time.Time{}, 0, false }

// look appends the changes that are to be told now.
func (w *sizeWatch) look(dst []Record, v *View, now time.Time) []Record {
	switch {
	case v.PLPMTU == 0:
		return dst
	case w.since.IsZero() && v.PLPMTU == w.told:
		w.seen = v.PLPMTU
		return dst
	case w.since.IsZero():
		w.since, w.cause, w.grew = now, v.Cause, false
		if w.told == 0 {
			w.cause = first
		}
	case w.grew && v.PLPMTU < w.seen && slices.Contains(reductions, v.Cause):
		dst = w.tell(dst, w.seen, now)
		w.since, w.cause, w.grew = now, v.Cause, false
	case v.PLPMTU != w.seen:
		w.grew = v.PLPMTU > w.seen
	}
	w.seen = v.PLPMTU
	if v.Settled || now.Sub(w.since) >= patience {
		dst = w.tell(dst, v.PLPMTU, now)
	}
	return dst
}

// tell appends the change that a search has ended with, if it is one.
func (w *sizeWatch) tell(dst []Record, plpmtu int, now time.Time) []Record {
	since, from := w.since, w.told
	w.since = time.Time{}
	if plpmtu == from {
		return dst
	}
	w.told = plpmtu
	return append(dst, Record{At: wall(since), Kind: Resized, From: from, To: plpmtu, Cause: w.cause, Lasted: Seconds(now.Sub(since))})
}
