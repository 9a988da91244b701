package clock

import (
	"testing"
	"time"
)

func TestSetMovesOneClockOnly(t *testing.T) {
	now := time.Now()
	for _, d := range []time.Duration{0, time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour} {
		set := Set(now, d)
		if moved := set.Round(0).Sub(now.Round(0)); moved != d {
			t.Errorf("by %v: the wall clock has moved by %v", d, moved)
		}
		if moved := set.Sub(now); moved != 0 {
			t.Errorf("by %v: the monotonic clock has moved by %v", d, moved)
		}
		if moved := set.Add(time.Minute).Sub(now); moved != time.Minute {
			t.Errorf("by %v: a minute later it is %v later", d, moved)
		}
	}
}
