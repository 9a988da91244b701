package pmtud

import (
	"testing"
	"time"
)

// TestPollAllocatesNothing polls copies of a Discovery at many moments of paths
// with data, loss and fans.
func TestPollAllocatesNothing(t *testing.T) {
	for _, tc := range []struct {
		name        string
		mtu, egress int
		loss        float64
	}{
		{"on a clean path", 1400, 1500, 0},
		{"on a jumbo path", 9000, 9216, 0},
		{"on a lossy path", 1450, 9000, 0.05},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newPath(tc.mtu)
			m.loss = tc.loss
			m.begin(tc.egress)
			m.data, m.nextData = time.Millisecond, m.now
			// The memory of a Discovery that has lived for a while.
			actions, sizes := make([]Action, 0, 2*fanPackets), make([]int, 0, 2*fanPackets)
			fails, events := make(failures, 0, rememberedFails), make(history, 0, historyEvents)
			probes := 0
			for range 1000 {
				m.run(5*time.Millisecond, nil)
				now := m.now.Add(time.Second)
				var d Discovery
				if n := testing.AllocsPerRun(1, func() {
					d = *m.d
					d.search.fails, d.history, d.sizes = append(fails, d.search.fails...), append(events, d.history...), sizes
					actions = d.Poll(actions[:0], now)
				}); n != 0 {
					t.Fatalf("%v allocations at %v", n, m.now.Sub(epochStart))
				}
				probes += len(actions)
			}
			if probes == 0 {
				t.Error("nothing was sent")
			}
		})
	}
}
