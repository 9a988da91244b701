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

// TestALimitWithABurst is a token bucket.
func TestALimitWithABurst(t *testing.T) {
	start := time.Now()
	l := limit{interval: time.Second, burst: 3}
	for _, step := range []struct {
		after         time.Duration
		asked, wanted int
	}{
		{0, 5, 3}, {time.Second - 1, 2, 0}, {time.Second, 2, 1}, {3 * time.Second, 1, 1}, {3 * time.Second, 5, 1},
		{time.Hour, 5, 3}, {time.Hour + 1500*time.Millisecond, 5, 1}, {time.Hour + 2*time.Second, 5, 1},
	} {
		got := 0
		for range step.asked {
			if l.allow(start.Add(step.after)) {
				got++
			}
		}
		if got != step.wanted {
			t.Errorf("after %v: %d of %d, want %d", step.after, got, step.asked, step.wanted)
		}
	}
}
