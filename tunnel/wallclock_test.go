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

// TestTheStartIsToldExactly: again and again the same, though the clocks drift apart, until
// the wall clock is set.
func TestTheStartIsToldExactly(t *testing.T) {
	began := time.Now()
	a := anchor{at: began}
	first := a.onTheWall(began.Add(time.Second))
	if !first.Equal(began.Round(0)) {
		t.Errorf("%v, not %v", first, began)
	}
	for _, drift := range []time.Duration{1, -37, time.Microsecond, 100 * time.Millisecond, -100 * time.Millisecond} {
		if told := a.onTheWall(clock.Set(began.Add(time.Minute), drift)); told != first {
			t.Errorf("after a drift of %v it is told %v later", drift, told.Sub(first))
		}
	}
	if told := a.onTheWall(clock.Set(began.Add(time.Minute), time.Hour)); told.Sub(first) != time.Hour {
		t.Errorf("after the clock was set by an hour it is told %v later", told.Sub(first))
	}
}
