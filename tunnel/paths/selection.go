package paths

import "time"

// voluntaryEvery is the least time from one move to the next while the pair in
// use works.
const voluntaryEvery = 30 * time.Second

// better returns a path that is worth a move though the one in use works, nil if
// none is, and why: one of lower cost that is reliable, else one of the same cost
// that is faster.
func (s *Set) better(now time.Time) (best *path, cause Cause) {
	if s.current == nil || s.contest.open() || s.decision.untold || now.Sub(s.moved) < voluntaryEvery {
		return nil, 0
	}
	for _, p := range s.paths {
		switch {
		case p == s.current || p.stateAt(now) != Proved || s.role == Roaming && !p.ours:
		case s.preferable(p):
			if p.steady.reliable(now) {
				return p, CausePreferred // the list begins with the lowest cost
			}
		case s.role != Follower && p.cost == s.current.cost && p.steady.faster >= enoughFaster && s.flows(now):
			if best == nil || p.rtt.smoothed < best.rtt.smoothed {
				best, cause = p, CauseFaster
			}
		}
	}
	return best, cause
}

// preferable reports whether a path would be preferred to the one in use, were it
// reliable: one of lower cost, or for a follower the one that was decided on.
func (s *Set) preferable(p *path) bool {
	if s.role == Follower {
		return s.strayedFrom(p)
	}
	return p.cost.compare(s.current.cost) < 0
}

// strayedFrom reports whether this end follows, but had to leave the path that was
// decided on. The decider, which may have noticed nothing, will not say it again.
func (s *Set) strayedFrom(p *path) bool {
	return s.role == Follower && p != s.current && p.Pair == s.decided
}
