package tunnel

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
)

// TestVitals looks at a control goroutine and at packet loops that wait, work, wait
// for a socket, and hang.
func TestVitals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		v := newVitals(left.controller)
		check := func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			census, err := v.Check(ctx)
			if err == nil && census != (Census{1, 1}) {
				t.Errorf("census %v", census)
			}
			return err
		}
		full := false
		var sends, receives heartbeat
		leave := v.watch("transmitter", &sends, func() bool { return full })
		v.watch("receiver", &receives, nil)
		healthy := func(when string) {
			t.Helper()
			for range 3 {
				if err := check(); err != nil {
					t.Errorf("%s: %v", when, err)
				}
				time.Sleep(stuckAfter)
			}
		}
		healthy("before the loops have begun")
		sends.waits()
		receives.waits()
		healthy("while the loops wait")
		for range 3 {
			receives.works()
			if err := check(); err != nil {
				t.Errorf("a loop that goes on: %v", err)
			}
			time.Sleep(stuckAfter)
		}
		receives.waits()

		sends.works()
		full = true
		healthy("while a socket is full")
		full = false
		if err := check(); err != nil {
			t.Errorf("a loop that was not seen at work before: %v", err)
		}
		time.Sleep(stuckAfter - time.Second)
		if err := check(); err != nil {
			t.Errorf("before %v: %v", stuckAfter, err)
		}
		time.Sleep(time.Second)
		if err := check(); err == nil || !strings.Contains(err.Error(), "a transmitter has been busy with one packet for 10s") {
			t.Errorf("a loop that hangs: %v", err)
		}
		sends.works()
		if err := check(); err != nil {
			t.Errorf("a loop that goes on again: %v", err)
		}
		leave()
		healthy("without that loop")

		release := make(chan struct{})
		left.events.post(ofRequest, func(*controller, time.Time) { <-release })
		if err := check(); err == nil || !strings.Contains(err.Error(), "the control goroutine does not answer") {
			t.Errorf("a control goroutine that hangs: %v", err)
		}
		close(release)
		healthy("afterwards")
		right.stop()
	})
}

func TestACensusInWords(t *testing.T) {
	for census, want := range map[Census]string{{0, 0}: "0 of 0 peers up", {1, 1}: "1 of 1 peer up", {2, 3}: "2 of 3 peers up"} {
		if got := census.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
