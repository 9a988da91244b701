//go:build linux

package main

import (
	"math"
	"testing"
)

func TestMedian(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		list []float64
		want float64
		ok   bool
	}{
		{nil, 0, false},
		{[]float64{nan}, 0, false},
		{[]float64{3}, 3, true},
		{[]float64{3, 1}, 2, true},
		{[]float64{9, 1, 2}, 2, true},
		{[]float64{9, 1, 2, 4}, 3, true},
		{[]float64{nan, 5, nan, 7}, 6, true},
		{[]float64{1, inf, 2}, 2, true},
		{[]float64{inf, inf}, inf, true},
	} {
		if got, ok := median(c.list); got != c.want || ok != c.ok {
			t.Errorf("median of %v: %v, %v, want %v, %v", c.list, got, ok, c.want, c.ok)
		}
	}
}

// TestMedianOfRatiosIsOfEachRound: not the ratio of the medians, which here
// would be 1.
func TestMedianOfRatiosIsOfEachRound(t *testing.T) {
	r := newResults(circumstances{Rounds: 3})
	for round, pair := range [][2]float64{{2, 1}, {4, 2}, {1, 4}} {
		r.add(round, &scenes[0], oneStream, aes.name, []float64{pair[0]})
		r.add(round, &scenes[0], oneStream, reference, []float64{pair[1]})
	}
	got, ok := r.ratio(at("cable", oneStream, aes, rate), at("cable", oneStream, wireguard, rate), plain)
	if got != 2 || !ok {
		t.Errorf("%v, %v", got, ok)
	}
}
