package pmtud

import (
	"slices"
	"testing"
)

// newSearch returns a search of IPv4 sizes behind an interface.
func newSearch(mode Mode, egress int) search {
	cfg := Config{Mode: mode}.withDefaults()
	return search{mode: mode, maxProbes: cfg.MaxProbes, grid: cfg.bounds(false, egress)}
}

func TestASearchLearns(t *testing.T) {
	for _, tc := range []struct {
		name  string
		do    func(s *search)
		lo    int
		fails failures
	}{
		{"a size that passes", func(s *search) { s.passed(1400) }, 1400, nil},
		{"a smaller one, which adds nothing", func(s *search) { s.passed(1400); s.passed(1300) }, 1400, nil},
		{"a failure", func(s *search) { s.passed(1400); s.failed(1500) }, 1400, failures{{1500, 1}}},
		{"a failure of a size that passes", func(s *search) { s.passed(1400); s.failed(1400) }, 1400, nil},
		{"a size that is given up", func(s *search) { s.passed(1000); s.giveUp(1228) }, 1000, failures{{1228, 3}}},
		{"a size that is given up, but has passed", func(s *search) { s.passed(1228); s.giveUp(1228) }, 1228, nil},
		{"a size that passes after all", func(s *search) { s.failed(1400); s.failed(1500); s.passed(1400) }, 1400, failures{{1500, 1}}},
		{"nothing from before a raise but lo", func(s *search) { s.passed(1400); s.failed(1500); s.raise() }, 1400, nil},
		{"nothing from before a restart", func(s *search) { s.passed(1400); s.failed(1500); s.restart() }, 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSearch(Fan, 1500)
			tc.do(&s)
			if s.lo != tc.lo || !slices.Equal(s.fails, tc.fails) {
				t.Errorf("lo %d, fails %v, want %d, %v", s.lo, s.fails, tc.lo, tc.fails)
			}
		})
	}
}

func TestASearchEnds(t *testing.T) {
	for _, tc := range []struct {
		name                      string
		s                         search
		atMax, nextFailed, noBase bool
	}{
		{"not before it began", search{}, false, false, false},
		{"at MAX_PLPMTU", search{lo: 1500}, true, false, false},
		{"when the next size has failed MAX_PROBES times", search{lo: 1400, fails: failures{{1404, 3}}}, false, true, false},
		{"not when it has failed less often", search{lo: 1400, fails: failures{{1404, 2}}}, false, false, false},
		{"not when another size has failed", search{lo: 1400, fails: failures{{1408, 3}}}, false, false, false},
		{"later on a lossy path", search{lo: 1400, lossy: true, fails: failures{{1404, 4}}}, false, false, false},
		{"at last on a lossy path", search{lo: 1400, lossy: true, fails: failures{{1404, 5}}}, false, true, false},
		{"as usual on a lossy path in the sequential mode", search{mode: Sequential, lo: 1400, lossy: true, fails: failures{{1404, 3}}}, false, true, false},
		{"below BASE_PLPMTU", search{lo: 1000, fails: failures{{1228, 3}}}, false, false, true},
	} {
		s := newSearch(tc.s.mode, 1500)
		s.lo, s.fails, s.lossy = tc.s.lo, tc.s.fails, tc.s.lossy
		if s.atMax() != tc.atMax || s.nextFailed() != tc.nextFailed || s.baseFailed() != tc.noBase {
			t.Errorf("%s: %v, %v, %v, want %v, %v, %v", tc.name, s.atMax(), s.nextFailed(), s.baseFailed(), tc.atMax, tc.nextFailed, tc.noBase)
		}
	}
}
