package pmtud

// nextSize returns the size of the one probe of the sequential mode.
func (s *search) nextSize(t task) int {
	g, high := s.grid, s.high(t.state)
	switch {
	case t.verify > 0:
		return t.verify
	case t.state == Base:
		return g.base
	case s.lo == 0:
		return g.min
	}
	for _, f := range s.fails { // the same size until it has failed MAX_PROBES times
		if f.count < s.maxProbes && f.size <= g.max {
			return f.size
		}
	}
	switch {
	case s.hint > s.lo && g.floor(s.hint) <= high:
		return g.floor(s.hint)
	case len(s.fails) == 0 && s.raising:
		return s.lo + g.step
	case len(s.fails) == 0:
		return high
	}
	var one [1]int
	if cut := s.spread(one[:0], s.lo, min(high, s.fails[0].size-g.step), 1); len(cut) > 0 && cut[0] > s.lo {
		return cut[0]
	}
	return s.lo + g.step
}
