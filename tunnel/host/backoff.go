package host

import "time"

const (
	// contestedRepairs in short order mean that somebody keeps changing the
	// thing.
	contestedRepairs = 4
	// firstRest is how long a thing that was put right, and is wrong again, is
	// left alone until then. From then on it is contestedRest, which doubles each
	// time, up to maxRest.
	firstRest     = 100 * time.Millisecond
	contestedRest = time.Second
	maxRest       = 32 * time.Second
	// maxGuardRest bounds the rest of a guard or a rule. While one is missing a
	// packet may leave in clear text, so it comes back at once, however often it goes.
	maxGuardRest = 10 * time.Millisecond
	// calm is how long a thing has to stay right, beyond its rest, until what
	// was before is forgotten.
	calm = 30 * time.Second
)

// backoff decides when a thing that is wrong is put right.
type backoff struct {
	rest    time.Duration // after the last attempt
	repairs int           // since it was right for long
	attempt time.Time     // the last, zero: none yet
	wrong   time.Time     // since when; zero: it is right
	failed  bool          // the last attempt
}

// due takes note that the thing is wrong, and returns when to put it right.
func (b *backoff) due(now time.Time) time.Time {
	if b.wrong.IsZero() {
		b.wrong = now
		if b.stood(now) {
			b.rest, b.repairs = 0, 0
		}
	}
	if b.attempt.IsZero() {
		return now
	}
	return b.attempt.Add(b.rest)
}

// attempted takes note of an attempt, after which the thing is right unless it
// failed. A failure is tried again ever less often.
func (b *backoff) attempted(now time.Time, failed bool, most time.Duration) {
	b.attempt, b.failed = now, failed
	if !failed {
		b.wrong = time.Time{}
		b.repairs++
	}
	switch {
	case failed:
		b.rest = max(2*b.rest, firstRest)
	case b.repairs < contestedRepairs:
		b.rest = firstRest
	default:
		b.rest = max(2*b.rest, contestedRest)
	}
	b.rest = min(b.rest, most)
}

// right takes note that the thing is right.
func (b *backoff) right() { b.wrong, b.failed = time.Time{}, false }

// contested reports whether somebody keeps changing the thing.
func (b *backoff) contested(now time.Time) bool {
	return b.repairs >= contestedRepairs && !(b.wrong.IsZero() && b.stood(now))
}

// stood reports whether what happened is long ago.
func (b *backoff) stood(now time.Time) bool { return now.Sub(b.attempt) > b.rest+calm }
