package tunnel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCensus against a list that is searched.
func TestCensus(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var c census
	sizes := make([]int, 5)
	for range 10000 {
		i := random.IntN(len(sizes))
		to := 1 + random.IntN(6)
		c.move(sizes[i], to)
		sizes[i] = to
		if want := slices.Max(sizes); c.largest != want {
			t.Fatalf("largest %d of %v", c.largest, sizes)
		}
	}
	if len(c.count) > 6 {
		t.Errorf("%v counts sizes that no path has", c.count)
	}
}
