package tunnel

import (
	"testing"
	"time"
)

// exhaust makes a load high for as long as a test lasts.
func exhaust(l *handshakeLoad) {
	l.spare.interval, l.spare.burst = 1000*time.Hour, 1
	l.high(time.Now())
}

func TestHandshakeLoad(t *testing.T) {
	l := newHandshakeLoad()
	now := time.Unix(1000, 0)
	for _, step := range []struct {
		name        string
		after       time.Duration
		initiations int
		spared      int // of them: without a cookie
	}{
		{"at once, after a rest", time.Hour, 10 * maxInitiations, maxInitiations},
		{"at the same moment", 0, 10, 0},
		{"a tenth of a second later", time.Second / 10, maxInitiations, maxInitiations / 10},
		{"a second later", time.Second, 10 * maxInitiations, maxInitiations},
		{"an hour later", time.Hour, maxInitiations, maxInitiations},
	} {
		now = now.Add(step.after)
		spared := 0
		for range step.initiations {
			if !l.high(now) {
				spared++
			}
		}
		if spared != step.spared {
			t.Errorf("%s: %d of %d are opened without a cookie, want %d", step.name, spared, step.initiations, step.spared)
		}
	}
}
