package pmtud

import "time"

// A backoff lets something happen ever less often, from first to limit apart.
type backoff struct {
	first, limit time.Duration
	wait         time.Duration // after the last; 0: none since reset
	next         time.Time
}

// allow reports whether it may happen now. If so, it takes it as happening.
func (b *backoff) allow(now time.Time) bool {
	if now.Before(b.next) {
		return false
	}
	b.wait = min(max(2*b.wait, b.first), b.limit)
	b.next = now.Add(b.wait)
	return true
}

// reset goes back to the first interval after the present one.
func (b *backoff) reset() { b.wait = 0 }
