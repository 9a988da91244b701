package paths

import "time"

// A Status tells of one pair.
type Status struct {
	Pair
	Cost Cost
	// Ours: the host offers it. The peer was heard by the others.
	Ours  bool
	State State
	SRTT  time.Duration // zero: unknown
	// InUse since Since.
	InUse bool
	Since time.Time
}

// Status returns what is known of all pairs, those of the lowest cost first.
func (s *Set) Status(now time.Time) []Status {
	all := make([]Status, 0, len(s.paths))
	for _, p := range s.paths {
		t := Status{Pair: p.Pair, Cost: p.cost, Ours: p.ours, State: p.stateAt(now), SRTT: p.rtt.smoothed}
		if p == s.current {
			t.InUse, t.Since, t.SRTT = true, s.moved, s.rttInUse().smoothed
		}
		all = append(all, t)
	}
	return all
}
