package paths

import "time"

// voluntaryEvery is the least time from one move to the next while the pair in
// use works.
const voluntaryEvery = 30 * time.Second

// better returns a path that is worth a move though the one in use works, nil if
// none is, and why: one of lower cost that is reliable, else one of the same cost
// that is faster.
func (s *Set) better(now time.Time) (best *path, cause Cause) {
	if s.role == Follower || s.current == nil || s.contest.open() || s.decision.untold || now.Sub(s.moved) < voluntaryEvery {
		return nil, 0
	}
	for _, p := range s.paths {
		if p == s.current || p.stateAt(now) != Proved || s.role == Roaming && !p.ours {
			continue
		}
		switch order := p.cost.compare(s.current.cost); {
		case order < 0 && p.steady.reliable(now):
			return p, Preferred // the list begins with the lowest cost
		case order == 0 && p.steady.faster >= enoughFaster && s.flows(now):
			if best == nil || p.rtt.smoothed < best.rtt.smoothed {
				best, cause = p, Faster
			}
		}
	}
	return best, cause
}
