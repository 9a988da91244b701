package udp

import (
	"testing"
	"time"
)

// TestAGaugeFindsHowMuchMayWait: a queue that is given more than it carries, or as
// much as there is to send.
func TestAGaugeFindsHowMuchMayWait(t *testing.T) {
	const limit = 512 << 10
	type phase struct {
		given, carries float64 // bytes a second
		length         time.Duration
	}
	for name, test := range map[string]struct {
		phases        []phase
		crowded, full int
	}{
		"nothing known":       {nil, limit / 4, limit / 2},
		"slow and flooded":    {[]phase{{2e6, 1e6, time.Second}}, 25_000, 200_000},
		"very slow":           {[]phase{{2e6, 1e5, time.Second}}, minCrowded, minFull},
		"fast and flooded":    {[]phase{{2e9, 1e8, time.Second}}, limit / 2, limit},
		"fast and busy":       {[]phase{{1e8, 2e8, time.Second}}, limit / 2, limit},
		"fast, little to do":  {[]phase{{1e4, 2e8, time.Second}}, minCrowded, minFull},
		"once it had been so": {[]phase{{1e8, 2e8, time.Second}, {1e4, 2e8, 10 * time.Second}}, limit / 2, limit},
		"it has become slow":  {[]phase{{2e9, 1e8, time.Second}, {2e9, 1e6, 2 * time.Second}}, 25_000, 200_000},
		"it has become fast":  {[]phase{{2e6, 1e6, time.Second}, {2e9, 1e8, time.Second}}, limit / 2, limit},
	} {
		var g gauge
		now, sent, level := time.Second, 0.0, 0.0
		g.reset(now, 0, 0, limit)
		for _, p := range test.phases {
			const step = time.Millisecond
			for end := now + p.length; now < end; now += step {
				level = max(0, level-p.carries*step.Seconds())
				g.observe(now, int64(sent), int(level), limit)
				more := min(p.given*step.Seconds(), max(0, float64(g.full.Load())-level))
				sent, level = sent+more, level+more
			}
		}
		if crowded, full := int(g.crowded.Load()), int(g.full.Load()); !near(crowded, test.crowded) || !near(full, test.full) {
			t.Errorf("%s: crowded from %d bytes on, full from %d on; want %d and %d", name, crowded, full, test.crowded, test.full)
		}
	}
}

// near allows for the steps of the simulation.
func near(got, want int) bool { return 10*got > 9*want && 9*got < 10*want }
