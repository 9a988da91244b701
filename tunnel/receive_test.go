package tunnel

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestAReceiveErrorThatStays does not keep a CPU busy, and its end is noticed
// soon. ICMP messages and a single error hold nothing up.
func TestAReceiveErrorThatStays(t *testing.T) {
	errStuck := errors.New("stuck")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		type call struct {
			datagrams int
			err       error
			messages  int // in the error queue
		}
		var calls int
		var spent []time.Duration // at the end of each step
		steps := []struct {
			name     string
			lasts    func(calls int) bool
			call     call
			min, max time.Duration // what the step may take
			calls    int           // at most; 0: not of interest
		}{
			{"ICMP messages", func(n int) bool { return n < 1000 }, call{0, errStuck, 1}, 0, 0, 0},
			{"one error", func(n int) bool { return n < 1 }, call{0, errStuck, 0}, 0, 0, 0},
			{"datagrams and errors", func(n int) bool { return n < 1000 }, call{5, errStuck, 0}, 0, 0, 0},
			{"datagrams", func(n int) bool { return n < 1000 }, call{5, nil, 0}, 0, 0, 0},
			{"an error that stays", func(int) bool { return time.Since(began) < time.Minute }, call{0, errStuck, 0}, time.Minute, time.Minute + maxReceivePause, 700},
			{"datagrams again", func(n int) bool { return n < 1000 }, call{5, nil, 0}, 0, 0, 0},
			{"one more error", func(n int) bool { return n < 1 }, call{0, errStuck, 0}, 0, 0, 0},
			{"the last datagram", func(n int) bool { return n < 1 }, call{1, nil, 0}, 0, 0, 0},
		}
		step := 0
		receive(func() (int, error) {
			for step < len(steps) && !steps[step].lasts(calls) {
				if limit := steps[step].calls; limit > 0 && calls > limit {
					t.Errorf("%s: %d calls", steps[step].name, calls)
				}
				spent = append(spent, time.Since(began))
				step, calls = step+1, 0
			}
			if step == len(steps) {
				return 0, net.ErrClosed
			}
			calls++
			return steps[step].call.datagrams, steps[step].call.err
		}, func() int { return steps[step].call.messages })
		var before time.Duration
		for i, s := range steps {
			if took := spent[i] - before; took < s.min || took > s.max {
				t.Errorf("%s: %v, want %v to %v", s.name, took, s.min, s.max)
			}
			before = spent[i]
		}
	})
}
