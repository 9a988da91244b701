package pmtud

import (
	"testing"
	"time"
)

// TestRaiser follows PMTU_RAISE_TIMER through searches, reductions and false
// alarms. Each row says when the timer then expires.
func TestRaiser(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := raiser{limit: time.Minute}
	r.shorten()
	var before raiser
	for _, step := range []struct {
		name string
		at   time.Duration
		do   func(now time.Time)
		want time.Duration // 0: it is stopped
	}{
		{"the first search ends", 0, r.start, firstRaise},
		{"it expires", firstRaise, func(time.Time) { r.stop() }, 0},
		{"each search that finds nothing doubles the wait", 10 * time.Second, r.start, 10*time.Second + 2*firstRaise},
		{"and again", 30 * time.Second, r.start, 30*time.Second + 4*firstRaise},
		{"and again", 60 * time.Second, r.start, 60*time.Second + 8*firstRaise},
		{"up to the limit", 2 * time.Minute, r.start, 3 * time.Minute},
		{"an alarm", 150 * time.Second, func(time.Time) { before = r; r.shorten(); r.stop() }, 0},
		{"that was false puts nothing off", 151 * time.Second, func(now time.Time) { r.resume(before); r.start(now) }, 3 * time.Minute},
		{"and the wait is as it was", 3 * time.Minute, r.start, 4 * time.Minute},
		{"a reduction begins anew", 4 * time.Minute, func(now time.Time) { r.shorten(); r.start(now) }, 4*time.Minute + firstRaise},
		{"once leaves the next wait", 5 * time.Minute, r.runOnce, 5*time.Minute + 2*firstRaise},
		{"as it is", 6 * time.Minute, r.start, 6*time.Minute + 2*firstRaise},
	} {
		step.do(begin.Add(step.at))
		if got := r.at.Sub(begin); step.want == 0 && !r.at.IsZero() || step.want != 0 && got != step.want {
			t.Errorf("%s: it expires after %v, want %v", step.name, got, step.want)
		}
	}
}
