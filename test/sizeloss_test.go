//go:build linux

package test

import (
	"fmt"
	"testing"
	"time"

	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestLossBySize: large packets are lost more often than small ones, as behind a tunnel
// that fragments them. TCP gets about as much as with the better of the two sizes, and
// where the large one is better it stays.
func TestLossBySize(t *testing.T) {
	tier.Select(t, tier.Measures, tier.EitherWay) // the link is one that takes superpackets apart
	const (
		share  = 0.9
		large  = 1500
		within = time.Minute // for it to get so much
		window = 10 * time.Second
		delay  = 15 * time.Millisecond
	)
	for _, test := range []struct {
		loss  float64
		small int
		rate  int64
		stays bool // the large size is better
	}{
		{0.01, 1400, 20_000_000, false},
		{0.001, 1400, 20_000_000, false},
		{0.001, 700, 4_000_000, true}, // CUBIC fills the line all the same
	} {
		t.Run(fmt.Sprintf("%v %% above %d bytes at %d Mbit/s", 100*test.loss, test.small, test.rate/1e6), func(t *testing.T) {
			t.Parallel() // a slow line leaves the machine idle
			var pairs []*userPair
			for _, fixed := range []int{0, large, test.small} {
				extra, want := "", large
				if fixed > 0 {
					extra, want = fmt.Sprintf("plpmtu = %d", fixed), fixed
				}
				l := newUserPairWith(t, "", extra, delay)
				up(t, l.a, l.b)
				await(t, l.a, func(s *status.Status) bool { return s.Peers[0].PMTUD.PLPMTU == want })
				l.link.Update(func(c *conditions) { c.Rate, c.LongLoss, c.Long = test.rate, test.loss, test.small })
				pairs = append(pairs, l)
			}
			rivals := compete(t, 0, pairs...)
			began, inARow := time.Now(), 0
			var moved []float64
			for ; inARow < 2 && time.Since(began) < within+window; inARow++ {
				moved = movedIn(window, rivals...)
				if moved[0] < share*max(moved[1], moved[2]) {
					inARow = -1
				}
			}
			now := statusOf(t, pairs[0].a).Peers[0].PMTUD
			for _, r := range rivals {
				r.transfer.stop()
			}
			tier.Figure(t, "%v %% of packets above %d bytes are lost, %d Mbit/s: %.1f Mbit/s after %v; with %d %.1f, with %d %.1f; PLPMTU %d", 100*test.loss, test.small, test.rate/1e6,
				mbits(moved[0], window), time.Since(began).Round(time.Second), large, mbits(moved[1], window), test.small, mbits(moved[2], window), now.PLPMTU)
			if inARow < 2 {
				t.Errorf("%.1f Mbit/s, with the large size %.1f, with the small one %.1f: %+v", mbits(moved[0], window), mbits(moved[1], window), mbits(moved[2], window), now)
			}
			if test.stays && now.PLPMTU != large {
				t.Errorf("the large size is better, and does not stay: %+v", now)
			}
		})
	}
}
