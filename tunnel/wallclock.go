package tunnel

import "time"

// onTheWall returns when something happened as the wall clock tells it now, which may
// have been set since. So its age is right for whoever has no other clock, such as a
// reader of the status.
func onTheWall(at, now time.Time) time.Time { return now.Add(at.Sub(now)) }

// anchor is when something happened that is told again and again. It is told to be at the
// same time, to the nanosecond, until the wall clock has been set: clocks that are kept
// right drift apart a little from one question to the next.
type anchor struct {
	at   time.Time
	told time.Time // zero: it was not yet
}

// anchorDrift is how far the clocks may have drifted apart until they are believed.
const anchorDrift = time.Second

// onTheWall is that of the package.
func (a *anchor) onTheWall(now time.Time) time.Time {
	exact := onTheWall(a.at, now).Round(0)
	if a.told.IsZero() || exact.Sub(a.told).Abs() >= anchorDrift {
		a.told = exact
	}
	return a.told
}
