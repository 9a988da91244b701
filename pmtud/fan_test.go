package pmtud

import (
	"slices"
	"testing"
)

// TestPlan plans single fans of searches of which only the state is given.
func TestPlan(t *testing.T) {
	grid := Config{}.withDefaults().bounds(false, ethernetMTU)
	step := grid.step
	for _, test := range []struct {
		name   string
		search search
		task   task
		first  []int // the largest sizes
		last   int   // the sentinel
	}{
		{"the first fan begins with what most paths carry", search{}, task{state: Base}, []int{grid.max}, grid.min},
		{"the end of a search probes the next size MAX_PROBES times",
			search{lo: 1400 - 1400%step, fails: failures{{1400 - 1400%step + 2*step, 3}}}, task{state: Searching},
			[]int{1400 - 1400%step + step, 1400 - 1400%step + step, 1400 - 1400%step + step}, grid.base},
		{"a raise that finds nothing knows it at once", search{lo: grid.max - step, raising: true}, task{state: Searching},
			[]int{grid.max, grid.max, grid.max}, grid.base},
		{"a verification has the size twice, and two sentinels", search{lo: grid.max}, task{state: SearchComplete, verify: grid.max},
			[]int{grid.max, grid.max, grid.base}, grid.base},
	} {
		s := test.search
		s.mode, s.maxProbes, s.grid = Fan, 3, grid
		test.task.budget = initialBudget
		got := s.plan(nil, test.task)
		if len(got) < len(test.first)+1 || !slices.Equal(got[:len(test.first)], test.first) || got[len(got)-1] != test.last {
			t.Errorf("%s: %v, want %v … %d", test.name, got, test.first, test.last)
		}
		if len(got) > fanPackets || !slices.IsSortedFunc(got, func(a, b int) int { return b - a }) || got[0] > grid.max || got[len(got)-1] < grid.min {
			t.Errorf("%s: %v: too many, not sorted, or out of bounds", test.name, got)
		}
	}
}
