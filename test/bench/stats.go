//go:build linux

package main

import (
	"math"
	"slices"
)

// median leaves out NaNs; ok is false when nothing is left.
func median(list []float64) (m float64, ok bool) {
	sorted := numbers(list)
	n := len(sorted)
	if n == 0 {
		return 0, false
	}
	if low, high := sorted[(n-1)/2], sorted[n/2]; low != high {
		return (low + high) / 2, true
	}
	return sorted[n/2], true // infinite ones included
}

// spread returns the least and the largest value.
func spread(list []float64) (least, largest float64) {
	sorted := numbers(list)
	if len(sorted) == 0 {
		return 0, 0
	}
	return sorted[0], sorted[len(sorted)-1]
}

// numbers returns the values in order, without NaNs.
func numbers(list []float64) []float64 {
	sorted := slices.DeleteFunc(slices.Clone(list), math.IsNaN)
	slices.Sort(sorted)
	return sorted
}

// quantile returns a quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
