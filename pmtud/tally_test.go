package pmtud

import "testing"

// tallied returns the tally of packets as drawn, oldest first: a capital letter
// arrived and a small one is lost. L has 1400 bytes, M 1300, S 600; t was lost
// too, and is too small for its size to be why.
func tallied(drawn string) (t tally, contradicted int) {
	for _, c := range drawn {
		switch c {
		case 'L':
			contradicted += t.passed(1400)
		case 'M':
			contradicted += t.passed(1300)
		case 'S':
			contradicted += t.passed(600)
		case 'l':
			t.lost(1400)
		case 'm':
			t.lost(1300)
		case 't':
			t.unrelated++
		}
	}
	return t, contradicted
}

func TestATally(t *testing.T) {
	for _, tc := range []struct {
		drawn                 string
		missing, contradicted int
		suspicious            bool // if three are evidence
	}{
		{"", 0, 0, false},
		{"lll", 3, 0, false}, // of the smaller ones only the request has arrived
		{"lllS", 3, 0, true},
		{"lSl", 2, 0, false},
		{"lSlSlS", 3, 0, true},
		{"lllL", 0, 3, false},
		{"lllM", 3, 0, true},
		{"mmlM", 1, 2, false},
		{"llllll", 6, 0, true},
		{"lllSt", 3, 0, true},
		{"lllStt", 3, 0, false}, // as many small ones lost as arrived: a burst
		{"lllSSLlS", 1, 3, false},
		{"llllllllllllllllllllllllllll", maxEvidence, 0, true},
	} {
		got, contradicted := tallied(tc.drawn)
		if got.count != tc.missing || contradicted != tc.contradicted || got.suspicious(3) != tc.suspicious {
			t.Errorf("%q: %d missing, %d contradicted, suspicious %v", tc.drawn, got.count, contradicted, got.suspicious(3))
		}
	}
}

func TestAFullTallyIsEnough(t *testing.T) {
	var full tally
	for range maxEvidence - 1 {
		full.lost(1400)
	}
	if full.suspicious(maxEvidence) {
		t.Error("suspicious before it is full")
	}
	if full.lost(1400); !full.suspicious(maxEvidence) {
		t.Error("not suspicious, though it can hold no more")
	}
}

func TestInARow(t *testing.T) {
	for _, tc := range []struct {
		loss, odds float64
		minimum    int
		want       int
	}{
		{0, 1e-5, 3, 3},
		{0.01, 1e-5, 3, 3}, // 0.01³ is 1e-6
		{0.09, 1e-5, 3, 5},
		{0.09, 1e-3, 2, 3},
		{0.5, 1e-3, 2, 10}, // 0.5¹⁰ is 1/1024
		{1, 1e-3, 2, 66},   // as for 0.9
	} {
		if got := inARow(tc.loss, tc.odds, tc.minimum); got != tc.want {
			t.Errorf("%v, %v: %d, want %d", tc.loss, tc.odds, got, tc.want)
		}
	}
}
