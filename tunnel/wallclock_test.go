package tunnel

import (
	"testing"
	"time"

	"fathom/conf"
	"fathom/test/clock"
)

// TestAgesIgnoreTheWallClock: the status tells times by which ages are right, though
// the clock has been set.
func TestAgesIgnoreTheWallClock(t *testing.T) {
	began := time.Now()
	p := newPeer(conf.Peer{})
	p.last = began
	for _, step := range []time.Duration{0, time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour} {
		now := clock.Set(began.Add(time.Minute), step)
		told := p.status(now).LastHandshake
		if age := now.Round(0).Sub(told.Round(0)); age != time.Minute {
			t.Errorf("the clock was set by %v: an age of %v", step, age)
		}
	}
}
