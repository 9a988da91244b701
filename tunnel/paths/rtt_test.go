package paths

import (
	"testing"
	"time"
)

func TestRTT(t *testing.T) {
	var r rtt
	if got := r.timeout(); got != initialRTT+4*(initialRTT/2) {
		t.Errorf("the timeout is %v before any sample", got)
	}
	r.sample(-time.Second)
	r.sample(time.Hour)
	if r != (rtt{}) {
		t.Errorf("impossible samples count: %v", r)
	}
	r.sample(80 * time.Millisecond)
	if r != (rtt{80 * time.Millisecond, 40 * time.Millisecond}) {
		t.Errorf("after the first sample: %v", r)
	}
	r.sample(160 * time.Millisecond)
	if r != (rtt{90 * time.Millisecond, 50 * time.Millisecond}) {
		t.Errorf("after the second sample: %v", r)
	}
	for range 100 {
		r.sample(20 * time.Millisecond)
	}
	if got := r.timeout(); got < 30*time.Millisecond || got > 31*time.Millisecond {
		t.Errorf("the timeout is %v on a steady path of 20 ms", got)
	}
}
