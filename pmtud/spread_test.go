package pmtud

import (
	"slices"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, tc := range []struct {
		name         string
		fails        failures
		lossy        bool
		low, high, k int
		want         []int
	}{
		{"sizes that are alike", nil, false, 600, 1000, 3, []int{700, 804, 904}},
		{"towards common sizes", nil, false, 1228, 1500, 3, []int{1320, 1404, 1460}},
		{"below a size that failed", failures{{1400, 1}}, false, 1228, 1500, 3, []int{1276, 1316, 1364}},
		{"further below one that failed often", failures{{1400, 8}}, false, 1228, 1500, 3, []int{1276, 1316, 1360}},
		{"less far below one that failed once where probes are lost", failures{{1400, 1}}, true, 1228, 1500, 3, []int{1280, 1328, 1380}},
		{"the only size", nil, false, 1496, 1500, 3, []int{1500}},
		{"no size", nil, false, 1500, 1500, 3, nil},
		{"none of them", nil, false, 1228, 1500, 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSearch(Fan, 1500)
			s.fails, s.lossy = tc.fails, tc.lossy
			if got := s.spread(nil, tc.low, tc.high, tc.k); !slices.Equal(got, tc.want) {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}
