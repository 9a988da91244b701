package history

import "time"

// patience is how long a search may take until the PLPMTU that it has reached so far is
// recorded.
const patience = 2 * time.Second

// first is the cause of the first PLPMTU, whichever step of its search was seen first.
const first = "start"

// sizeWatch tells of changes of a PLPMTU. A search goes through sizes that do not last,
// and a suspicion may prove false: the change is told when the search has ended, with the
// cause that began it, or not at all.
type sizeWatch struct {
	told  int       // the PLPMTU as it was last told; 0: never
	since time.Time // when it was first seen to be another; zero: it is not
	cause string    // of that
}

// suspend forgets a change that has not been told: the path is gone.
func (w *sizeWatch) suspend() { w.since = time.Time{} }

// look appends the change that is to be told now.
func (w *sizeWatch) look(dst []Record, v *View, now time.Time) []Record {
	switch {
	case v.PLPMTU == 0:
		return dst
	case w.since.IsZero() && v.PLPMTU == w.told:
		return dst
	case w.since.IsZero():
		w.since, w.cause = now, v.Cause
		if w.told == 0 {
			w.cause = first
		}
	}
	took := now.Sub(w.since)
	if !v.Settled && took < patience {
		return dst
	}
	since := w.since
	w.since = time.Time{}
	if v.PLPMTU == w.told {
		return dst
	}
	from := w.told
	w.told = v.PLPMTU
	return append(dst, Record{At: wall(since), Kind: Resized, From: from, To: v.PLPMTU, Cause: w.cause, Lasted: Seconds(took)})
}
