package paths

import (
	"testing"
	"time"

	"fathom/test/tier"
)

// random builds two ends of up to three uplinks each, in a random order, with at
// least one path between them, which it returns.
func (w *world) random() (a, b *uplink) {
	rng := w.rng
	for _, e := range w.ends {
		for i := range 1 + rng.IntN(3) {
			w.uplink(e, i+1, rng.IntN(3) == 0, rng.IntN(3) == 0, time.Duration(rng.ExpFloat64()*float64(15*time.Millisecond))+200*time.Microsecond)
		}
	}
	a, b = w.ends[0].uplinks[0], w.ends[1].uplinks[0]
	if a.family() != b.family() {
		w.renumber(b, a.local.Is6(), false)
	}
	w.ends[0].know() // one of them must be able to call
	if rng.IntN(2) == 0 {
		w.ends[1].know()
	}
	w.decide(rng.IntN(4) == 0)
	return a, b
}

// disturb does something to the network, or to the traffic.
func (w *world) disturb() {
	rng := w.rng
	e := w.ends[rng.IntN(2)]
	u := e.uplinks[rng.IntN(len(e.uplinks))]
	switch rng.IntN(12) {
	case 0, 1:
		u.silent = !u.silent
		w.tracef("%d: interface %d is silent: %v", e.id, u.index, u.silent)
	case 2:
		u.deaf = !u.deaf
		w.tracef("%d: interface %d is deaf: %v", e.id, u.index, u.deaf)
	case 3, 4:
		if u.down {
			e.linkUp(u)
		} else {
			e.linkDown(u)
		}
	case 5:
		if !u.down {
			e.renumber(u, rng.IntN(2) == 0)
			if rng.IntN(2) == 0 { // the peer's name is looked up again
				e.peer.lookUp()
			}
		}
	case 6:
		w.tracef("%d: interface %d gets other mappings", e.id, u.index)
		if u.public[0].Port() != 4500 {
			w.rebind(u, 1+rng.IntN(2))
		}
	case 7:
		e.flow(time.Duration(1+rng.IntN(20)) * time.Millisecond)
	case 8:
		e.flow(0)
	case 9:
		e.thin = !e.thin
	case 10:
		w.dead[rng.IntN(2)] = rng.IntN(2) == 0
	case 11:
		if w.forger = nil; rng.IntN(2) == 0 {
			w.forge(time.Duration(rng.IntN(10)) * time.Millisecond)
		}
	}
}

// forge lets somebody copy packets.
func (w *world) forge(ahead time.Duration) *forger {
	rng := w.rng
	f := &forger{ahead: ahead, every: 1 + rng.IntN(3), relays: rng.IntN(3) == 0}
	f.toward = [2]bool{rng.IntN(2) == 0, rng.IntN(2) == 0}
	for range 1 + rng.IntN(4) {
		w.port++
		f.sources = append(f.sources, addrPort("198.51.100.66", w.port))
	}
	w.forger = f
	return f
}

// calm ends all disturbances. The endpoints of the end that knows them are true
// again, as after a look-up.
func (w *world) calm() {
	w.tracef("calm")
	w.forger, w.dead = nil, [2]bool{}
	w.jitter, w.lateness = 0, 0
	for _, e := range w.ends {
		for _, u := range e.uplinks {
			u.silent, u.deaf, u.loss = false, false, 0
			if len(u.public) > 1 {
				w.rebind(u, 1)
			}
			if u.down {
				e.linkUp(u)
			}
		}
	}
	for _, e := range w.ends {
		if len(e.endpoints) > 0 {
			e.lookUp()
		}
	}
}

// settled reports whether both ends send by a proved pair that the other receives
// on.
func (w *world) settled() bool {
	for _, e := range w.ends {
		by, ok := e.set.Current()
		if !ok || w.reaches(e, by) == nil || e.set.Limited() || e.set.contest.open() {
			return false
		}
	}
	return true
}

// TestWhateverHappensBothEndsMeet: after any disturbance both ends send by proved
// pairs that the other receives on, soon after the network is calm. On the way
// they keep all limits: see end.carry, end.check and orderly.
func TestWhateverHappensBothEndsMeet(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	var moves, packets int
	simulate(t, 1000, 10_000, func(w *world) {
		rng := w.rng
		a, b := w.random()
		if rng.IntN(2) == 0 {
			w.jitter, w.lateness = rng.Float64()*0.2, time.Duration(rng.IntN(30))*time.Millisecond
		}
		for _, e := range w.ends {
			for _, u := range e.uplinks {
				if rng.IntN(3) == 0 {
					u.loss = rng.Float64() * 0.05
				}
			}
		}
		w.join(a, b)
		for range 2 + rng.IntN(12) {
			w.run(time.Duration(rng.ExpFloat64()*float64(400*time.Millisecond)), nil)
			w.disturb()
		}
		w.calm()
		for _, e := range w.ends {
			e.thin = false
			e.flow(50 * time.Millisecond)
		}
		if !w.run(40*time.Second, w.settled) {
			w.fail("the ends do not meet: %v, %v", w.ends[0].set.Status(w.now), w.ends[1].set.Status(w.now))
		}
		calm := w.now
		w.run(2*time.Second, nil)
		for _, e := range w.ends {
			e.mark()
		}
		w.run(time.Second, nil)
		for _, e := range w.ends {
			if e.silentFor() > 500*time.Millisecond && e.peer.every > 0 {
				w.fail("end %d hears nothing for %v, %v after the ends met", e.id, e.silentFor(), w.now.Sub(calm))
			}
			e.orderly()
			moves += len(e.moves)
		}
		packets += w.packets
	})
	tier.Figure(t, "%d packets, %d moves", packets, moves)
}

// orderly checks the moves of an end.
func (e *end) orderly() {
	var last time.Time // a move
	for i, m := range e.moves {
		if m.Cause.voluntary() && m.At.Sub(last) < voluntaryEvery {
			e.w.fail("end %d makes a voluntary move %v after the one before", e.id, m.At.Sub(last))
		}
		if i > 0 && m.From != e.moves[i-1].To && m.From != (Pair{}) {
			e.w.fail("end %d moves from %v, where it was not", e.id, m.From)
		}
		last = m.At
	}
}
