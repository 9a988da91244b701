package paths

import "time"

const (
	// enoughAnswers in a row, over holdFirst at least, make a pair reliable enough
	// to return to.
	enoughAnswers = 5
	holdFirst     = 30 * time.Second
	// holdLimit bounds the wait, which doubles when the pair fails within relapse.
	holdLimit = 10 * time.Minute
	relapse   = time.Minute
	// enoughFaster is how many challenges in a row must show a pair to be faster.
	enoughFaster = 3
	// leastFaster, and a tenth, is how much shorter a round trip must be to count.
	leastFaster = 5 * time.Millisecond
)

// A steadiness tells whether a pair is worth changing to while another works. The
// zero value belongs to a pair that has not answered.
type steadiness struct {
	answers int       // in a row
	since   time.Time // the first of them
	faster  int       // of them, in a row, with a shorter round trip than the pair in use
	hold    time.Duration
	chosen  time.Time // when it was chosen though another worked
}

// answers takes in an answer, given whether its pair was faster than the one in
// use.
func (s *steadiness) answer(faster bool, now time.Time) {
	if s.answers == 0 {
		s.since = now
	}
	s.answers++
	s.faster++
	if !faster {
		s.faster = 0
	}
}

// broken takes in that a challenge was not answered.
func (s *steadiness) broken() { s.answers, s.faster = 0, 0 }

// reliable reports whether the pair has answered for long enough.
func (s *steadiness) reliable(now time.Time) bool {
	return s.answers >= enoughAnswers && now.Sub(s.since) >= max(s.hold, holdFirst)
}

// left takes in that the pair, which was in use, has failed.
func (s *steadiness) left(now time.Time) {
	switch {
	case s.chosen.IsZero():
	case now.Sub(s.chosen) <= relapse:
		s.hold = min(max(2*s.hold, 2*holdFirst), holdLimit)
	case now.Sub(s.chosen) > holdLimit:
		s.hold = holdFirst
	}
	s.chosen = time.Time{}
}

// isFaster reports whether a round trip is so much shorter than another that the
// difference counts. Zero is unknown.
func isFaster(srtt, than time.Duration) bool {
	return srtt > 0 && than > 0 && srtt+max(than/10, leastFaster) <= than
}

// A flapped remembers the last pair that was in use when its link went down, so
// that a link that comes and goes is returned to ever later.
type flapped struct {
	pair Pair
	hold time.Duration
}

func (f *flapped) left(p *path, now time.Time) {
	p.steady.left(now)
	f.pair, f.hold = p.Pair, p.steady.hold
}

// back returns what a pair begins with when it is there again.
func (f *flapped) back(p Pair) steadiness {
	if p != f.pair {
		return steadiness{}
	}
	return steadiness{hold: f.hold}
}
