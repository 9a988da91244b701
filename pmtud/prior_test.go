package pmtud

import "testing"

func TestLikely(t *testing.T) {
	g := grid{step: 4}
	for _, tc := range []struct {
		name     string
		from, to int
		want     int // the weight of an MTU from `from` to below `to`
	}{
		{"an ordinary size", 1300, 1304, likelySize},
		{"a common size", 1400, 1404, likelySize + likelyCommon},
		{"Ethernet's", 1500, 1504, likelySize + likelyCommon + jumboSize},
		{"an ordinary jumbo size", 5000, 5004, jumboSize},
		{"a common jumbo size", 9000, 9004, jumboSize + jumboCommon},
	} {
		if got := g.likely(tc.to) - g.likely(tc.from); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestCut(t *testing.T) {
	g := grid{step: 4}
	for _, tc := range []struct {
		name     string
		from, to int
		share    float64
		want     int
	}{
		{"half of sizes that are alike", 600, 1000, 0.5, 800},
		{"a quarter of them", 600, 1000, 0.25, 700},
		{"none", 600, 1000, 0, 600},
		{"all", 600, 1000, 1, 1000},
		{"half, with a common size in the upper half", 1300, 1400 + 4, 0.5, 1360},
		{"the nearer side of a common size", 1496, 1504, 0.4, 1500},
		{"one size", 1300, 1300, 0.5, 1300},
	} {
		if got := g.cut(tc.from, tc.to, tc.share); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}
