package paths

import (
	"testing"
	"time"

	"fathom/test/tier"
)

// TestReturnToThePreferredPair: after a fail-over the decider returns to the pair
// of the lowest cost when that has answered for long enough, and waits longer each
// time that was too early.
func TestReturnToThePreferredPair(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	simulate(t, 10, 300, func(w *world) {
		e := w.ends[w.rng.IntN(2)]
		first := w.uplink(e, 1, false, false, leg)
		w.uplink(e, 2, false, false, time.Duration(1+w.rng.IntN(20))*time.Millisecond)
		w.uplink(e.peer, 1, false, false, leg)
		e.know()
		w.decide(false)
		w.join(first, e.peer.uplinks[0])
		e.flow(100 * time.Millisecond)
		e.peer.flow(100 * time.Millisecond)
		w.run(time.Second, nil)
		at := func() bool { return e.uplinkOf(e.using) == first && w.where[e.peer.using.Remote] == first }
		away := 30 * time.Second
		// Nobody is told, or the link goes down: that makes no difference.
		set := func(down bool) { first.silent = down }
		if w.rng.IntN(2) == 0 {
			set = func(down bool) {
				if down {
					e.linkDown(first)
				} else {
					e.linkUp(first)
				}
			}
		}
		for range 3 {
			set(true)
			if !w.run(time.Second, func() bool { return !at() }) && at() {
				w.fail("no fail-over")
			}
			set(false)
			left := w.now
			if !w.run(2*time.Minute+2*away, at) {
				w.fail("no return")
			}
			if w.now.Sub(left) < away {
				w.fail("the return comes after %v", w.now.Sub(left))
			}
			away = min(2*away, 10*time.Minute)
			w.run(time.Second, nil)
		}
		e.orderly()
		e.peer.orderly()
	})
}

// TestVoluntaryMovesAreRare: round trips change at will, and pairs come and go.
func TestVoluntaryMovesAreRare(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	var voluntary int
	simulate(t, 20, 500, func(w *world) {
		rng := w.rng
		e := w.ends[rng.IntN(2)]
		for i := range 3 {
			w.uplink(e, i+1, false, false, leg).cost = rng.IntN(2)
		}
		w.uplink(e.peer, 1, false, false, leg)
		e.know()
		w.decide(rng.IntN(3) == 0)
		w.join(e.uplinks[0], e.peer.uplinks[0])
		e.flow(50 * time.Millisecond)
		e.peer.flow(50 * time.Millisecond)
		for range 20 {
			w.run(time.Duration(rng.IntN(30))*time.Second, nil)
			u := e.uplinks[rng.IntN(3)]
			if u.delay = time.Duration(1+rng.IntN(40)) * time.Millisecond; rng.IntN(4) == 0 {
				u.silent = !u.silent
			}
		}
		for _, e := range w.ends {
			e.orderly()
			for _, m := range e.moves {
				if m.Cause.voluntary() {
					voluntary++
				}
			}
		}
	})
	if voluntary == 0 {
		t.Error("no voluntary move at all")
	}
	tier.Figure(t, "%d voluntary moves", voluntary)
}

// TestFasterPairIsUsed: of two pairs of one cost the one with the shorter round
// trip is used in the end, but not one that is shorter by less than a tenth and 5
// ms.
func TestFasterPairIsUsed(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	for _, tc := range []struct {
		name       string
		difference time.Duration // of the round trips
		moves      bool
	}{
		{"much faster", 10 * time.Millisecond, true},
		{"hardly faster", 4 * time.Millisecond, false},
		{"as fast", 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			simulate(t, 5, 100, func(w *world) {
				e := w.ends[w.rng.IntN(2)]
				first := w.uplink(e, 1, false, false, leg+tc.difference/2)
				second := w.uplink(e, 2, false, false, leg)
				second.cost = first.cost
				w.uplink(e.peer, 1, false, false, leg)
				e.know()
				w.decide(w.rng.IntN(2) == 0)
				w.join(first, e.peer.uplinks[0])
				e.flow(20 * time.Millisecond)
				e.peer.flow(20 * time.Millisecond)
				w.run(2*time.Minute, nil)
				if moved := e.uplinkOf(e.using) == second; moved != tc.moves {
					w.fail("moved: %v", moved)
				}
				if moves := e.moves[1:]; tc.moves && (len(moves) != 1 || moves[0].Cause != CauseFaster) {
					w.fail("moves: %v", moves)
				}
			})
		})
	}
}
