package pmtud

import (
	"testing"
	"time"
)

func TestABackoff(t *testing.T) {
	b := backoff{first: time.Second, limit: 3 * time.Second}
	now := epochStart
	for i, step := range []struct {
		after time.Duration
		reset bool
		want  bool
	}{
		{0, false, true},
		{time.Second - 1, false, false},
		{1, false, true}, // a second after the first
		{time.Second, false, false},
		{time.Second, false, true}, // two seconds after it
		{2 * time.Second, false, false},
		{time.Second, false, true}, // three, the limit
		{2 * time.Second, true, false},
		{time.Second, false, true}, // reset leaves the present interval as it is
		{time.Second, false, true}, // and shortens the next
	} {
		now = now.Add(step.after)
		if step.reset {
			b.reset()
		}
		if got := b.allow(now); got != step.want {
			t.Errorf("step %d, after %v: %v, want %v", i, now.Sub(epochStart), got, step.want)
		}
	}
}
