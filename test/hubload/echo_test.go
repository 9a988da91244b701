//go:build linux

package hubload

import (
	"testing"
	"time"
)

// TestRoundTripsCountSinceTheFirstAnswer: what was sent before may have waited for an SA.
func TestRoundTripsCountSinceTheFirstAnswer(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		median     time.Duration
		late       time.Duration
		count      int
		lost       int
		err        bool
	}{
		{"at once", "0 10\n20 30\n60 20\n", 30, 30, 2, 0, false},
		{"after a wait", "0 0\n10 90\n20 81\n110 3\n120 4\n", 4, 4, 2, 0, false},
		{"one lost", "0 1\n10 2\n20 0\n30 3\n", 3, time.Hour, 2, 1, false},
		{"none", "0 0\n10 0\n", 0, 0, 0, 0, true},
		{"nothing", "", 0, 0, 0, 0, true},
		{"garbage", "x\n", 0, 0, 0, 0, true},
	} {
		var trips roundTrips
		err := trips.read(tc.text)
		if (err != nil) != tc.err {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err != nil {
			continue
		}
		if len(trips.took) != tc.count || trips.lost != tc.lost || trips.quantile(0.5) != tc.median || trips.late() != tc.late {
			t.Errorf("%s: %v, %v", tc.name, trips.took, trips)
		}
	}
}
