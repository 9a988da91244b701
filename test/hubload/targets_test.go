package hubload

import (
	"io"
	"maps"
	"slices"
	"testing"
	"time"
)

// TestJudge: every target can be met and missed, and is missed without a figure.
func TestJudge(t *testing.T) {
	things := []string{coldStart, idle, memoryUsed, allTalk, tenTalk, foreignRoutes, restTrips, stormTrips, restart, restartTrips}
	all := func(f figures) map[string]figures {
		m := make(map[string]figures)
		for _, what := range things {
			m[what] = f
		}
		return m
	}
	few := all(figures{memory: 20e6, each: 100 * time.Microsecond})
	good := all(figures{up: time.Second, cpu: time.Second, share: 1, memory: 50e6, each: 100 * time.Microsecond})
	bad := all(figures{up: time.Minute, cpu: time.Minute, share: 50, memory: 20e9, each: time.Millisecond, late: time.Second})
	bad[restTrips] = figures{}
	asked := make(map[int]int)
	for _, target := range targets {
		asked[target.peers]++
	}
	if peers := slices.Sorted(maps.Keys(asked)); !slices.Equal(peers, []int{1000, 10000}) {
		t.Fatalf("targets for %v", peers)
	}
	for peers, want := range asked {
		for name, test := range map[string]struct {
			measured map[string]figures
			missed   int
		}{"good": {good, 0}, "bad": {bad, want}, "nothing": {nil, want}} {
			r := results{10: few, peers: test.measured}
			if got := r.judge(io.Discard); got != test.missed {
				t.Errorf("%d peers, %s: %d missed, want %d", peers, name, got, test.missed)
			}
		}
	}
}
