package tunnel

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
)

func TestAnAllowanceIsSpentOnce(t *testing.T) {
	for _, test := range []struct {
		name    string
		given   []int64
		packets []int
		sent    []bool
	}{
		{"nothing is given", nil, []int{1, 0}, []bool{false, true}},
		{"to the last byte", []int64{300}, []int{100, 200, 1}, []bool{true, true, false}},
		{"what is too much takes nothing", []int64{100}, []int{101, 100}, []bool{false, true}},
		{"what is added counts", []int64{50, 50}, []int{100, 1}, []bool{true, false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var a allowance
			for _, bytes := range test.given {
				a.left.Add(bytes)
			}
			for i, bytes := range test.packets {
				if got := a.take(bytes); got != test.sent[i] {
					t.Errorf("packet %d of %d bytes: %v", i, bytes, got)
				}
			}
		})
	}
	if !(*allowance)(nil).take(math.MaxInt32) {
		t.Error("where there is no limit, something is refused")
	}
}

// TestSendersShareAnAllowance: several goroutines never send more than it holds.
func TestSendersShareAnAllowance(t *testing.T) {
	const given, each = 30_000, 70
	var a allowance
	var sent atomic.Int64
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for range given / each {
				if a.take(each) {
					sent.Add(each)
				}
			}
		})
	}
	for range 3 {
		a.left.Add(given / 3)
	}
	senders.Wait()
	for a.take(each) {
		sent.Add(each)
	}
	if n := sent.Load(); n > given || n <= given-each {
		t.Errorf("%d bytes of %d are sent", n, given)
	}
}
