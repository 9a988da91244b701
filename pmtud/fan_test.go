package pmtud

import (
	"slices"
	"testing"
)

func TestAFanIsPlanned(t *testing.T) {
	for _, tc := range []struct {
		name   string
		egress int
		set    func(s *search, t *task)
		want   []int
	}{
		{"first, spread over all sizes with the base size and the first link's", 1500,
			func(_ *search, t *task) { t.state = Base },
			[]int{1500, 1444, 1352, 1232, 1228, 1100, 968, 836, 704, 576}},
		{"first behind a jumbo interface, with Ethernet's size and the next", 9000,
			func(_ *search, t *task) { t.state = Base },
			[]int{9000, 1504, 1500, 1228, 576}},
		{"after the base size has failed once, with the two that are left of MAX_PROBES", 1500,
			func(s *search, t *task) { t.state = Base; s.passed(576); s.failed(1228) },
			[]int{1228, 1228, 1152, 1068, 988, 904, 824, 740, 660, 576}},
		{"between a size that passed and one that failed", 1500,
			func(s *search, _ *task) { s.passed(1400); s.failed(1452) },
			[]int{1448, 1444, 1440, 1432, 1428, 1424, 1420, 1412, 1404, 1228}},
		{"at the end, with each size up to MAX_PROBES", 1500,
			func(s *search, _ *task) { s.passed(1400); s.failed(1412) },
			[]int{1412, 1412, 1408, 1408, 1408, 1404, 1404, 1404, 1228}},
		{"at the end of a lossy search, with two sentinels", 1500,
			func(s *search, _ *task) { s.passed(1400); s.failed(1412); s.lossy = true },
			[]int{1412, 1412, 1412, 1408, 1408, 1408, 1404, 1404, 1228, 1228}},
		{"in a lossy search, with the size that has failed once more", 1500,
			func(s *search, _ *task) { s.passed(1228); s.failed(1452); s.lossy = true },
			[]int{1452, 1440, 1420, 1396, 1368, 1332, 1292, 1264, 1228, 1228}},
		{"for a raise, with MAX_PROBES of the next size", 1500,
			func(s *search, _ *task) { s.passed(1400); s.raise() },
			[]int{1500, 1488, 1472, 1456, 1440, 1424, 1404, 1404, 1404, 1228}},
		{"for a hint, around it", 1500,
			func(s *search, _ *task) { s.passed(1228); s.hint = 1403 },
			[]int{1500, 1460, 1404, 1404, 1404, 1404, 1400, 1400, 1320, 1228}},
		{"for a hint of a size that is given up, below it", 1500,
			func(s *search, _ *task) { s.passed(1228); s.hint = 1403; s.fails.add(1400, 3) },
			[]int{1384, 1372, 1352, 1332, 1316, 1296, 1280, 1264, 1248, 1228}},
		{"for a suspended PLPMTU, with two of it", 1500,
			func(_ *search, t *task) { t.state, t.suspended = Base, 1500 },
			[]int{1500, 1500, 1428, 1308, 1228, 1168, 1016, 868, 720, 576}},
		{"for a suspended PLPMTU under loss, with more of it", 1500,
			func(_ *search, t *task) { t.state, t.suspended, t.loss = Base, 1500, 0.1 },
			[]int{1500, 1500, 1500, 1416, 1264, 1228, 1092, 920, 744, 576}},
		{"for a suspended jumbo PLPMTU, with two of it beyond the budget", 9000,
			func(_ *search, t *task) { t.state, t.suspended, t.budget = Base, 9000, budget{5, fanBytes / 2} },
			[]int{9000, 9000, 1228, 576}},
		{"for a validated PTB, around its MTU", 1500,
			func(s *search, t *task) { t.state, t.suspended, s.hint = Base, 1500, 1400 },
			[]int{1500, 1500, 1404, 1404, 1404, 1400, 1400, 1228, 1092, 576}},
		{"for a validated PTB below the base size, which is expected to fail", 1500,
			func(s *search, t *task) { t.state, t.suspended, s.hint = Base, 1500, 1000 },
			[]int{1500, 1500, 1228, 1228, 1228, 1004, 1004, 1004, 1000, 576}},
		{"to verify the PLPMTU, with nothing else", 1500,
			func(s *search, t *task) { t.state = SearchComplete; s.passed(1400); t.verify = 1400 },
			[]int{1400, 1400, 576, 576}},
		{"to verify the PLPMTU, with the offered MTU", 1500,
			func(s *search, t *task) { t.state = SearchComplete; s.passed(1400); t.verify, s.hint = 1400, 1300 },
			[]int{1400, 1400, 1300, 576, 576}},
		{"in ERROR, below the base size", 1500,
			func(s *search, t *task) { t.state = Error; s.passed(576); s.fails.add(1228, 3) },
			[]int{1164, 1096, 1032, 968, 904, 836, 772, 708, 640, 576}},
		{"within the smallest budget", 1500,
			func(s *search, t *task) { s.passed(1228); s.failed(1500); t.budget = budget{minFan, fanBytes / 2} },
			[]int{1440, 1348, 1228}},
		{"within the bytes of a first fan", 9000,
			func(s *search, _ *task) { s.passed(1500); s.failed(9000) },
			[]int{6484, 4260, 1228}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, task := newSearch(Fan, tc.egress), task{state: Searching, budget: initialBudget}
			tc.set(&s, &task)
			if got := s.plan(nil, task); !slices.Equal(got, tc.want) {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestAFanKeepsToItsRoom(t *testing.T) {
	for _, tc := range []struct {
		name   string
		size   int
		copies int
		want   []int
	}{
		{"in packets", 600, 5, []int{576, 600, 600}},
		{"in bytes", 900, 2, []int{576, 900}},
		{"except for the first probe after the sentinels", 1500, 2, []int{576, 1500}},
		{"of sizes up to MAX_PLPMTU", 1504, 1, []int{576, 1500}},
		{"of sizes from MIN_PLPMTU", 572, 1, []int{576}},
		{"with no copies", 600, -1, []int{576}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := fan{grid: newSearch(Fan, 1500).grid, room: budget{3, 576 + 1300}}
			f.take(576)
			f.sentinels = 1
			f.add(tc.size, tc.copies)
			if !slices.Equal(f.sizes, tc.want) {
				t.Errorf("%v, want %v", f.sizes, tc.want)
			}
		})
	}
}
