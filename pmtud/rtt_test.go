package pmtud

import (
	"testing"
	"time"
)

func TestRTTFollowsRFC6298(t *testing.T) {
	var r rtt
	if r.timeout() != initialTimeout {
		t.Errorf("timeout before any sample is %v", r.timeout())
	}
	for _, step := range []struct{ sample, smoothed, variance, timeout time.Duration }{
		{100, 100, 50, 300},
		{100, 100, 38, 252}, // 37.5
		{200, 112, 53, 324}, // 112.5, 53.125
	} {
		r.sample(step.sample * time.Millisecond)
		near := func(what string, got, want time.Duration) {
			if d := got - want*time.Millisecond; d.Abs() > time.Millisecond && what != "timeout" || d.Abs() > 4*time.Millisecond {
				t.Errorf("after %v: %s is %v, want %v ms", step.sample, what, got, int(want))
			}
		}
		near("SRTT", r.smoothed, step.smoothed)
		near("RTTVAR", r.variance, step.variance)
		near("timeout", r.timeout(), step.timeout)
	}
	before := r
	r.sample(0)
	r.sample(-time.Second)
	r.sample(time.Hour)
	if r != before {
		t.Error("an impossible sample counts")
	}
}
