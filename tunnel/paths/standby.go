package paths

import "time"

// A Standby is a pair that is not in use.
type Standby struct {
	Pair
	// Warm says that it is proved, and is kept so: the caller may measure it.
	Warm bool
}

// Standbys appends to dst the pairs that are not in use, but for those that will be
// forgotten since the peer was not heard by them for long. What the caller keeps of
// pairs it may forget of all others.
func (s *Set) Standbys(dst []Standby, now time.Time) []Standby {
	for _, p := range s.paths {
		if p != s.current && !p.ghost(now) {
			dst = append(dst, Standby{p.Pair, p.stateAt(now) == Proved && (s.cfg.Keepalive || s.flows(now))})
		}
	}
	return dst
}

// SRTT returns the round trip of a pair, by which both the challenges left and the
// responses came; 0 if it is unknown.
func (s *Set) SRTT(of Pair) time.Duration {
	if p := s.paths.find(of); p != nil {
		return p.rtt.smoothed
	}
	return 0
}

// InDoubt reports whether the pair in use may have failed: a contest is under way.
func (s *Set) InDoubt() bool { return s.contest.open() }
