package pmtud

import (
	"slices"
	"testing"
)

func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(f *failures)
		want failures
	}{
		{"are sorted by size", func(f *failures) { f.add(1500, 1); f.add(1300, 1); f.add(1400, 1) },
			failures{{1300, 1}, {1400, 1}, {1500, 1}}},
		{"of one size add up", func(f *failures) { f.add(1400, 1); f.add(1400, 2) }, failures{{1400, 3}}},
		{"are counted to 255", func(f *failures) { f.add(1400, 200); f.add(1400, 200) }, failures{{1400, 255}}},
		{"go when a larger size has passed", func(f *failures) { f.add(1300, 1); f.add(1304, 1); f.dropUpTo(1300) }, failures{{1304, 1}}},
		{"stay when a smaller size has passed", func(f *failures) { f.add(1300, 1); f.dropUpTo(1296) }, failures{{1300, 1}}},
		{"can be forgotten", func(f *failures) { f.add(1300, 1); f.clear() }, failures{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f failures
			tc.do(&f)
			if !slices.Equal(f, tc.want) {
				t.Errorf("%v, want %v", f, tc.want)
			}
		})
	}
}

func TestFailuresForgetTheLargest(t *testing.T) {
	var f failures
	for i := range rememberedFails {
		f.add(1000+4*i, 1)
	}
	f.add(5000, 1)
	if len(f) != rememberedFails || f.count(5000) != 0 {
		t.Errorf("%d sizes, 5000 failed %d times", len(f), f.count(5000))
	}
	f.add(998, 1)
	if largest := 1000 + 4*(rememberedFails-1); len(f) != rememberedFails || f.count(998) != 1 || f.count(largest) != 0 {
		t.Errorf("%d sizes, 998 failed %d times, %d %d times", len(f), f.count(998), largest, f.count(largest))
	}
}

func TestGivenUp(t *testing.T) {
	f := failures{{1300, 1}, {1400, 3}, {1500, 1}}
	for _, tc := range []struct {
		size, maxProbes int
		want            bool
	}{
		{1300, 3, false}, {1396, 3, false}, {1400, 3, true}, {1500, 3, true}, {1500, 4, false}, {1300, 1, true}, {1296, 1, false},
	} {
		if got := f.givenUp(tc.size, tc.maxProbes); got != tc.want {
			t.Errorf("%d at MAX_PROBES %d: %v, want %v", tc.size, tc.maxProbes, got, tc.want)
		}
	}
}
