package paths

import (
	"testing"
	"time"

	"fathom/test/tier"
)

// TestDecisionsMeet: decisions cross, overtake each other and are copied, and both
// ends may think for a while that they decide. In the end the follower sends by
// the pair that the decider sends by.
func TestDecisionsMeet(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	simulate(t, 300, 5000, func(w *world) {
		rng := w.rng
		for i, e := range w.ends {
			for n := range 2 + rng.IntN(2) {
				w.uplink(e, n+1, false, false, time.Duration(1+rng.IntN(10))*time.Millisecond)
			}
			e.set.decision.generation = generation(rng.Uint32N(8)) - 4 + generation(i) // left from an earlier life
		}
		w.ends[0].know()
		w.ends[1].know()
		both := rng.IntN(2) == 0
		w.ends[0].set.Decides(true, !both, false)
		w.ends[1].set.Decides(true, !both, true)
		w.join(w.ends[0].uplinks[0], w.ends[1].uplinks[0])
		for _, e := range w.ends {
			e.flow(25 * time.Millisecond)
		}
		w.jitter, w.lateness = 0.5, time.Duration(rng.IntN(200))*time.Millisecond
		if rng.IntN(3) == 0 {
			w.forge(5 * time.Millisecond)
		}
		for range 3 + rng.IntN(12) {
			e := w.ends[rng.IntN(2)]
			if u := e.uplinks[rng.IntN(2)]; u.down {
				e.linkUp(u)
			} else {
				e.linkDown(u)
			}
			w.run(time.Duration(rng.ExpFloat64()*float64(60*time.Millisecond)), nil)
		}
		w.ends[0].set.Decides(true, true, false)
		w.ends[1].set.Decides(true, true, true)
		w.calm()
		agree := func() bool {
			a, b := w.ends[0], w.ends[1]
			return w.settled() && a.set.decision.generation == b.set.decision.generation &&
				w.reaches(a, a.using) == b.uplinkOf(b.using) && w.reaches(b, b.using) == a.uplinkOf(a.using)
		}
		// One more decision, if none is under way.
		d := w.ends[1]
		if u := d.uplinkOf(d.using); u != nil {
			d.linkDown(u)
		}
		if !w.run(2*time.Minute, agree) {
			w.fail("no agreement: generations %d and %d, pairs %v and %v", w.ends[0].set.decision.generation, w.ends[1].set.decision.generation, w.ends[0].using, w.ends[1].using)
		}
		moves := len(w.ends[0].moves) + len(w.ends[1].moves)
		w.run(5*time.Second, nil)
		if !agree() || len(w.ends[0].moves)+len(w.ends[1].moves) != moves {
			w.fail("the agreement does not last")
		}
	})
}
