package pmtud

import (
	"slices"
	"testing"
	"time"
)

func TestTheSequentialModeSendsOneProbe(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  func(s *search, t *task)
		want int
	}{
		{"of BASE_PLPMTU in BASE", func(_ *search, t *task) { t.state = Base }, 1228},
		{"of MIN_PLPMTU in ERROR while nothing passes", func(_ *search, t *task) { t.state = Error }, 576},
		{"of BASE_PLPMTU in ERROR, the largest then", func(s *search, t *task) { t.state = Error; s.passed(576) }, 1228},
		{"of MAX_PLPMTU first", func(s *search, _ *task) { s.passed(1228) }, 1500},
		{"of the size that has failed, again", func(s *search, _ *task) { s.passed(1228); s.fails.add(1500, 2) }, 1500},
		{"of a size between, once it has failed MAX_PROBES times", func(s *search, _ *task) { s.passed(1228); s.fails.add(1500, 3) }, 1400},
		{"of an offered MTU", func(s *search, _ *task) { s.passed(1228); s.hint = 1403 }, 1400},
		{"of the next size in a raise", func(s *search, _ *task) { s.passed(1400); s.raise() }, 1404},
		{"of the last size that is left", func(s *search, _ *task) { s.passed(1400); s.fails.add(1408, 3) }, 1404},
		{"of the size to be verified", func(s *search, t *task) { s.passed(1400); t.verify = 1400 }, 1400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, task := newSearch(Sequential, 1500), task{state: Searching, budget: initialBudget}
			tc.set(&s, &task)
			if got := s.plan(nil, task); !slices.Equal(got, []int{tc.want}) {
				t.Errorf("%v, want %d", got, tc.want)
			}
		})
	}
}

// TestAShrunkenEgressMTUBoundsTheSequentialMode: a size that has failed is not
// probed again once it is above MAX_PLPMTU, and the search ends.
func TestAShrunkenEgressMTUBoundsTheSequentialMode(t *testing.T) {
	m := newPath(1400)
	m.d = New(Config{Mode: Sequential})
	m.begin(9000)
	m.run(time.Minute, func() bool { return m.d.search.fails.count(9000) == 1 })
	m.d.EgressMTU(1500, m.now)
	if !m.run(time.Hour, func() bool { return m.d.State() == SearchComplete }) || m.d.PLPMTU() != 1400 {
		t.Errorf("PLPMTU %d in %v: %s", m.d.PLPMTU(), m.d.State(), m.trouble)
	}
}
