package paths

import "time"

// learn returns the path by which a packet came, and remembers a new one: the
// interface and the address that it reached, and where it came from. It returns
// nil if there is no room.
func (s *Set) learn(by Pair, now time.Time) *path {
	if p := s.paths.match(by); p != nil {
		return p
	}
	if !s.paths.makeRoom(s.current, now) {
		return nil
	}
	p := &path{Pair: by, cost: s.paths.heardCost(by), heard: now}
	s.paths.insert(p)
	return p
}

// roam takes in that the newest packet came by another path than the one in use.
// The peer may have moved; or somebody forwards copies, or two NATs share its
// packets. A contest tells.
func (s *Set) roam(p *path, now time.Time) {
	p.newest = now
	s.begin(elsewhere, CausePeer, now)
	if c := &s.contest; c.open() && c.kind == elsewhere && p.asked.Before(c.began) && p.wanted.Before(c.began) {
		p.want(now) // an answer to what left before does not count
	}
}

// resume begins the contests that were put off until now. Where the peer was heard
// meanwhile takes part as if it were heard now.
func (s *Set) resume(now time.Time) {
	for kind := range s.contest.alarms {
		a := &s.contest.alarms[kind]
		if !due(a.later, now) {
			continue
		}
		since, cause := a.since, a.cause
		a.later = time.Time{}
		s.begin(contestKind(kind), cause, now)
		if contestKind(kind) != elsewhere {
			continue
		}
		for _, p := range s.paths {
			if p != s.current && !p.newest.Before(since) {
				s.roam(p, now)
			}
		}
	}
}

// doubt challenges the pair in use, unless it is the only one.
func (s *Set) doubt(now time.Time) {
	s.paths.bury(s.current, now)
	if s.Several() {
		s.silence.doubt(now)
		s.current.hurry(s.timeout(s.current), now)
	}
}

// begin opens a contest and challenges those that take part. Where the peer was
// long ago counts no more, so that one pair is one pair again some time after a
// move.
func (s *Set) begin(kind contestKind, cause Cause, now time.Time) {
	s.paths.bury(s.current, now)
	if len(s.paths) < 2 || s.current == nil || !s.contest.begin(kind, cause, now) {
		return
	}
	for _, p := range s.paths {
		if (p == s.current || kind == stalled) && p.wanted.Before(s.contest.began) && p.asked.Before(s.contest.began) {
			p.want(now)
		}
	}
}
