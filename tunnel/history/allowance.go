package history

import "time"

// Of a peer's events this many are recorded at once, and one more after each pause: a path
// that flaps must not push everything else out of a history.
const (
	eventsAtOnce = 32
	eventPause   = 10 * time.Second
)

// allowance is how many events may be recorded. The zero value is full.
type allowance struct{ full time.Time } // when it is full again

// take reports whether an event may be recorded now, and takes note of it.
func (a *allowance) take(now time.Time) bool {
	full := a.full
	if full.Before(now) {
		full = now
	}
	if full.Sub(now) > (eventsAtOnce-1)*eventPause {
		return false
	}
	a.full = full.Add(eventPause)
	return true
}
