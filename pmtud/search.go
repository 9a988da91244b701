package pmtud

// A search is the knowledge of the path's MTU that the probes of one generation
// have given.
type search struct {
	mode      Mode
	maxProbes int // MAX_PROBES
	grid      grid

	lo      int      // the largest size acknowledged; 0: none
	fails   failures // of sizes above lo
	hint    int      // an offered MTU to begin the next fan with; 0: none
	raising bool     // the search began at a known size
	lossy   bool     // probes of passing sizes were lost
}

// forget drops everything: a new path.
func (s *search) forget() {
	s.restart()
	s.hint, s.raising, s.lossy = 0, false, false
}

// restart drops the sizes that passed and failed: they are in question.
func (s *search) restart() {
	s.lo = 0
	s.fails.clear()
}

// raise begins a search above lo: a size that failed may pass now.
func (s *search) raise() {
	s.fails.clear()
	s.raising = true
}

// complete ends the search.
func (s *search) complete() { s.raising, s.lossy, s.hint = false, false, 0 }

// passed takes in that packets of size bytes pass.
func (s *search) passed(size int) {
	if size > s.lo {
		s.lo = size
		s.fails.dropUpTo(size)
	}
}

// failed counts the failure of a probe.
func (s *search) failed(size int) {
	if size > s.lo {
		s.fails.add(size, 1)
	}
}

// giveUp takes in that a size has failed as often as it may. One that has passed,
// as BASE_PLPMTU may have by a smaller egress MTU, is none of the search's.
func (s *search) giveUp(size int) {
	if size > s.lo {
		s.fails.add(size, s.maxProbes)
	}
}

// enough is how often a size must fail before the search gives it up.
func (s *search) enough() int {
	if s.lossy && s.mode == Fan {
		return s.maxProbes + extraProbes
	}
	return s.maxProbes
}

// atMax reports whether MAX_PLPMTU passes.
func (s *search) atMax() bool { return s.lo >= s.grid.max }

// nextFailed reports whether the search gives up the size after lo.
func (s *search) nextFailed() bool { return s.fails.count(s.lo+s.grid.step) >= s.enough() }

// baseFailed reports whether the search gives up BASE_PLPMTU.
func (s *search) baseFailed() bool { return s.fails.count(s.grid.base) >= s.maxProbes }

// high returns the largest size to be searched: in ERROR, BASE_PLPMTU.
func (s *search) high(state State) int {
	if state == Error {
		return s.grid.base
	}
	return s.grid.max
}
