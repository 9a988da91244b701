package tunnel

import (
	"testing"
	"time"

	"fathom/test/clock"
)

func TestALimitIgnoresTheWallClock(t *testing.T) {
	const interval = 30 * time.Second
	start := time.Now()
	for _, step := range []time.Duration{0, -time.Hour, time.Hour} {
		l := limit{interval: interval}
		for _, event := range []struct {
			after time.Duration
			step  time.Duration
			want  bool
		}{
			{0, 0, true}, {0, 0, false},
			{interval - 1, step, false}, {interval, step, true}, {interval, step, false},
			{2*interval - 1, step, false}, {2 * interval, 0, true},
		} {
			if got := l.allow(clock.Set(start.Add(event.after), event.step)); got != event.want {
				t.Errorf("a step of %v: after %v the limit allows: %v", step, event.after, got)
			}
		}
	}
}

// TestALimitOfOtherClocks: times without a monotonic reading, before its epoch too.
func TestALimitOfOtherClocks(t *testing.T) {
	for _, start := range []time.Time{time.Unix(1000, 0), time.Now().Add(-time.Hour).Round(0)} {
		l := limit{interval: time.Second}
		if !l.allow(start) || l.allow(start.Add(time.Second-1)) || !l.allow(start.Add(time.Second)) {
			t.Errorf("from %v", start)
		}
	}
}
