package host

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestThrottle: the first of a burst is told at once, the rest once.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := make(chan struct{}, 1)
		th := throttle{out: out, every: 200 * time.Millisecond}
		took := 0
		take := func() bool {
			synctest.Wait()
			select {
			case <-out:
				took++
				return true
			default:
				return false
			}
		}
		th.ask()
		if !take() {
			t.Error("the first has to wait")
		}
		for range 99 { // a hundred a second
			time.Sleep(10 * time.Millisecond)
			th.ask()
			take()
		}
		time.Sleep(time.Second)
		take()
		if took < 5 || took > 7 {
			t.Errorf("%d tokens", took)
		}
		time.Sleep(time.Minute)
		if take() {
			t.Error("a token without a change")
		}
		th.ask()
		th.ask()
		th.close()
		take()
		time.Sleep(time.Second)
		if take() {
			t.Error("a token after close")
		}
	})
}
