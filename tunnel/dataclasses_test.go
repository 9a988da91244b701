package tunnel

import (
	"slices"
	"testing"
	"time"
)

// TestClassesOfLargeData: what is small says nothing, a congestion mark is no class, and
// a class is forgotten when others flow without it.
func TestClassesOfLargeData(t *testing.T) {
	type sent struct {
		tos   uint8
		size  int
		train bool
	}
	const ef, af = 46 << 2, 10 << 2
	at := time.Unix(1000, 0)
	for _, test := range []struct {
		name     string
		sent     [][]sent // in each period
		variants []variant
		fresh    []bool // in each period
	}{
		{"nothing", nil, []variant{{}}, nil},
		{"best effort", [][]sent{{{0, 1500, false}}}, []variant{{}}, []bool{false}},
		{"another class", [][]sent{{{ef, 1500, false}}, {{ef, 1500, false}}}, []variant{{tos: ef}}, []bool{true, false}},
		{"a small packet", [][]sent{{{ef, 1200, false}}}, []variant{{}}, []bool{false}},
		{"as large as matters", [][]sent{{{ef, 1313, false}}}, []variant{{tos: ef}}, []bool{true}},
		{"two classes", [][]sent{{{ef, 1500, false}, {0, 1500, false}}}, []variant{{}, {tos: ef}}, []bool{true}},
		{"a congestion mark", [][]sent{{{af | 3, 1500, false}}}, []variant{{tos: af | 2}}, []bool{true}},
		{"trains", [][]sent{{{0, 1500, true}}}, []variant{{}, {train: true}}, []bool{true}},
		{"many classes", [][]sent{{{0, 1500, true}, {ef, 1500, false}, {af, 1500, false}, {4, 1500, false}}}, []variant{{}, {tos: 4}, {tos: af}, {train: true}}, []bool{true}},
		{"a class that ends", [][]sent{{{ef, 1500, false}}, {{0, 1500, false}}, {{0, 1500, false}}}, []variant{{}}, []bool{true, true, false}},
		{"a class that has just ended", [][]sent{{{ef, 1500, false}}, {{0, 1500, false}}}, []variant{{}, {tos: ef}}, []bool{true, true}},
		{"a rest", [][]sent{{{ef, 1500, false}}, {}, {}, {}}, []variant{{tos: ef}}, []bool{true, false, false, false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var classes dataClasses
			var recent recentClasses
			now := at
			for i, period := range test.sent {
				for _, s := range period {
					classes.note(s.tos, s.size, 1500)
					if s.train {
						classes.noteTrain()
					}
				}
				if _, fresh := recent.look(classes.take(), now); fresh != test.fresh[i] {
					t.Errorf("period %d: fresh %v", i, fresh)
				}
				now = now.Add(classesLast + 1)
			}
			if got := recent.variants(nil, 0); !slices.Equal(got, test.variants) {
				t.Errorf("%v, want %v", got, test.variants)
			}
		})
	}
}

// TestManyClassesTakeTurns: each is probed in the end.
func TestManyClassesTakeTurns(t *testing.T) {
	var recent recentClasses
	var seen noted
	for i := range seen.classes {
		seen.classes[i] = ^uint64(0)
	}
	recent.look(seen, time.Unix(1000, 0))
	probed := make(map[uint8]bool)
	for turn := range 256 {
		for _, v := range recent.variants(nil, turn) {
			probed[v.tos] = true
		}
	}
	if len(probed) != 256 {
		t.Errorf("%d classes are probed", len(probed))
	}
}

func TestNotingDataDoesNotAllocate(t *testing.T) {
	var classes dataClasses
	if n := testing.AllocsPerRun(100, func() { classes.note(184, 1500, 1500); classes.noteTrain() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkNotingData(b *testing.B) {
	var classes dataClasses
	for b.Loop() {
		classes.note(184, 1500, 1500)
	}
}
