package paths

import (
	"slices"
	"time"
)

// Candidates says which pairs the host offers now. Of more than maxOurs the
// cheapest count. A pair that is offered no more may still be in use: the peer was
// there. If its address, its interface or its route is gone, call Withdraw first. The
// pair in use may be told in full afterwards: see Current.
func (s *Set) Candidates(offered []Candidate, now time.Time) {
	offered = slices.Clone(offered)
	slices.SortStableFunc(offered, func(a, b Candidate) int { return a.Cost.compare(b.Cost) })
	offered = offered[:min(len(offered), maxOurs)]
	was := s.current != nil && s.current.ours
	for _, p := range s.paths {
		p.ours = false
	}
	for _, c := range offered {
		p := s.paths.find(c.Pair)
		if p == nil {
			p = s.adopt(c.Pair)
		}
		if p == nil {
			p = &path{Pair: c.Pair, steady: s.flapped.back(c.Pair)}
			s.paths = append(s.paths, p) // within bounds again before we return
		}
		if !p.ours {
			p.ours, p.cost = true, c.Cost
		}
	}
	s.paths.remove(func(p *path) bool { return !p.ours && p != s.current && p.confirmed.IsZero() && p.heard.IsZero() })
	for _, p := range s.paths {
		if !p.ours {
			p.cost = s.paths.heardCost(p.Pair)
			if p.heard.IsZero() {
				p.heard = now // it becomes a ghost from now on
			}
		}
	}
	for len(s.paths) > maxPaths && s.paths.dropWorst(s.current) {
	}
	slices.SortStableFunc(s.paths, func(a, b *path) int { return a.cost.compare(b.cost) })
	switch {
	case s.current == nil:
		s.replace(now)
	case was && !s.current.ours:
		s.begin(stalled, CauseLinkDown, now) // the kernel would send otherwise now
	}
}

// adopt has the path by which the peer was heard take a pair that says the same and more:
// what was left to the kernel is known now. All that is known of the path stays, and
// that it is in use. It returns nil if there is none.
func (s *Set) adopt(offered Pair) *path {
	for _, p := range s.paths {
		if !p.ours && offered.completes(p.Pair) {
			if s.decided == p.Pair {
				s.decided = offered
			}
			p.Pair = offered
			return p
		}
	}
	return nil
}

// Withdraw says that pairs are of no use from now on: an interface is down, an
// address or a route is gone.
func (s *Set) Withdraw(gone func(Pair) bool, now time.Time) {
	s.paths.remove(func(p *path) bool { return gone(p.Pair) })
	if s.current == nil || !gone(s.current.Pair) {
		return
	}
	s.flapped.left(s.current, now)
	s.lost, s.current = s.current.Pair, nil
	s.contest.forget()
	s.replace(now)
}

// Returned says that pairs were gone for a moment. What was sent meanwhile may have
// left by others, so that the peer sends there: it is told of the pair in use.
func (s *Set) Returned(back func(Pair) bool, now time.Time) {
	if s.current == nil || !back(s.current.Pair) {
		return
	}
	s.active = now.Add(activeFor)
	if s.role == Decider {
		s.decision.decide(s.greater, now)
		return
	}
	s.appeals = true
	s.current.want(now)
}

// replace names a pair in place of one that is gone, if there is any.
func (s *Set) replace(now time.Time) {
	var best *path
	for _, p := range s.paths {
		if best == nil || s.standing(p, now) < s.standing(best, now) {
			best = p
		}
	}
	if best == nil {
		return
	}
	cause := CauseLinkDown
	if s.lost.IsZero() {
		cause = CauseStart
	}
	s.move(best, cause, now)
}

// standings is how many values standing has.
const standings = 5

// standing orders paths by how likely they lead to the peer. A place that was
// never proved comes last: anybody may have named it.
func (s *Set) standing(p *path, now time.Time) int {
	switch state := p.stateAt(now); {
	case state == Proved:
		return 0
	case state == Stale:
		return 1
	case s.limited(p):
		return 4
	case state == Failed:
		return 3
	}
	return 2
}

// Order appends the pairs to dst by which the peer is called, in the order in which that
// is best: the one in use first, those that failed last. A place that was never proved, and
// that the host does not offer, is not among them: anybody may have named it.
func (s *Set) Order(dst []Pair, now time.Time) []Pair {
	begin := len(dst)
	if s.current != nil && s.callable(s.current) {
		dst = append(dst, s.current.Pair)
	}
	for rank := range standings {
		for _, p := range s.paths {
			if p != s.current && s.callable(p) && s.standing(p, now) == rank {
				dst = append(dst, p.Pair)
			}
		}
	}
	if len(dst) > begin+1 && s.current != nil && dst[begin] == s.current.Pair && s.current.state == Failed {
		dst = append(dst[:begin], append(dst[begin+1:], s.current.Pair)...)
	}
	return dst
}

// callable reports whether the peer may be called by a path.
func (s *Set) callable(p *path) bool { return p.ours || !s.limited(p) }
