package paths

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fathom/test/tier"
)

// seedOf returns the seed of a test's first world, which PATHS_SEED sets, and how
// many worlds there are, which PATHS_WORLDS sets.
func seedOf(t testing.TB, quick, full int) (seed uint64, n int) {
	t.Helper()
	number := func(name string, otherwise uint64) uint64 {
		s := os.Getenv(name)
		if s == "" {
			return otherwise
		}
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	if tier.Full() {
		quick = full
	}
	seed = number("PATHS_SEED", uint64(time.Now().UnixNano()))
	n = int(number("PATHS_WORLDS", uint64(quick)))
	t.Logf("seed %d, %d worlds (PATHS_SEED and PATHS_WORLDS set them)", seed, n)
	return seed, n
}

// simulate runs a scenario in many worlds. The first that fail are told, and run
// again with a trace.
func simulate(t *testing.T, quick, full int, scenario func(w *world)) {
	t.Helper()
	seed, n := seedOf(t, quick, full)
	failed := 0
	for i := range uint64(n) {
		w := newWorld(seed+i, nil)
		scenario(w)
		if w.trouble == "" {
			continue
		}
		if failed++; failed > 3 {
			continue
		}
		t.Errorf("%s (PATHS_SEED=%d PATHS_WORLDS=1 go test ./tunnel/paths -run '%s$')", w.trouble, seed+i, strings.ReplaceAll(t.Name(), "/", "$/^"))
		if failed == 1 {
			var lines []string
			scenario(newWorld(seed+i, func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }))
			t.Log("\n" + strings.Join(lines[max(0, len(lines)-250):], "\n"))
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d worlds failed", failed, n)
	}
}

const (
	leg       = 5 * time.Millisecond // of a path, which has two: a round trip of 20 ms
	roundTrip = 4 * leg
)

// A house is what stands at the ends in a test of fail-over.
type house struct {
	name string
	// build returns the uplink that fails.
	build func(w *world, failing *end) *uplink
}

var houses = []house{
	{"two uplinks", func(w *world, e *end) *uplink {
		first := w.uplink(e, 1, false, false, leg)
		w.uplink(e, 2, false, false, leg)
		w.uplink(e.peer, 1, false, false, leg)
		return first
	}},
	{"two uplinks behind NATs", func(w *world, e *end) *uplink {
		first := w.uplink(e, 1, false, true, leg)
		w.uplink(e, 2, false, true, leg)
		w.uplink(e.peer, 1, false, false, leg)
		return first
	}},
	{"two uplinks at either end", func(w *world, e *end) *uplink {
		first := w.uplink(e, 1, false, false, leg)
		w.uplink(e, 2, false, false, leg)
		w.uplink(e.peer, 1, false, false, leg)
		w.uplink(e.peer, 2, false, false, leg)
		return first
	}},
	{"two families at either end", func(w *world, e *end) *uplink {
		first := w.uplink(e, 1, true, false, leg)
		w.uplink(e, 1, false, false, leg)
		w.uplink(e.peer, 1, true, false, leg)
		w.uplink(e.peer, 1, false, false, leg)
		return first
	}},
}

const (
	// bound is what a fail-over may cost while data flows, known that of one that
	// the host knows of.
	bound = 4*roundTrip + 40*time.Millisecond
	known = 2*roundTrip + 20*time.Millisecond
)

var failures = []struct {
	name  string
	bound time.Duration
	fail  func(w *world, u *uplink)
}{
	{"silent", bound, func(w *world, u *uplink) { u.silent = true }},
	{"deaf", bound, func(w *world, u *uplink) { u.deaf = true }},
	{"family dies", bound, func(w *world, u *uplink) {
		if w.dead[u.family()] = true; u.family() == 0 {
			w.dead[0], u.silent = false, true // there is no other family
		}
	}},
	{"link down", known, func(w *world, u *uplink) { u.end.linkDown(u) }},
	{"address gone", known, func(w *world, u *uplink) {
		local := u.local
		u.down = true
		u.end.withdraw(u.index, local)
		u.end.attend()
	}},
	{"renumbered", known, func(w *world, u *uplink) { u.end.renumber(u, false) }},
	{"other mapping", bound, func(w *world, u *uplink) { w.rebind(u, 1) }},
}

// decide says who decides, as a handshake would.
func (w *world) decide(none bool) {
	a, b := w.ends[0], w.ends[1]
	several := func(e *end) bool { return len(e.uplinks) > 1 && !none }
	a.set.Decides(several(a), several(b), false)
	b.set.Decides(several(b), several(a), true)
}

// TestFailover: while data flows, a failure costs four round trips and 40 ms at
// most, whatever fails, at whichever end, and whoever decides.
func TestFailover(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	gaps := make(map[string][]time.Duration) // by failure
	for _, h := range houses {
		for _, f := range failures {
			for _, knows := range []bool{true, false} {
				for _, none := range []bool{false, true} {
					for failing := range 2 {
						name := fmt.Sprintf("%s/%s/endpoint=%v/none=%v/end=%d", h.name, f.name, knows, none, failing)
						t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
							simulate(t, 10, 200, func(w *world) {
								e := w.ends[failing]
								u := h.build(w, e)
								e.know()
								if knows {
									e.peer.know()
								}
								w.decide(none)
								w.join(u, e.peer.uplinks[0])
								// At any time between two challenges of the others.
								w.run(time.Second+time.Duration(w.rng.Int64N(int64(17*time.Second))), nil)
								e.flow(3 * time.Millisecond)
								e.peer.flow(3 * time.Millisecond)
								w.run(200*time.Millisecond+time.Duration(w.rng.Int64N(int64(30*time.Millisecond))), nil)
								if len(e.moves)+len(e.peer.moves) > 2 { // each its first
									w.fail("a move before the failure")
								}
								w.tracef("%s", f.name)
								f.fail(w, u)
								e.mark()
								e.peer.mark()
								w.run(300*time.Millisecond, nil)
								for _, e := range w.ends {
									gaps[f.name] = append(gaps[f.name], e.silentFor())
									if e.silentFor() > f.bound {
										w.fail("end %d hears nothing for %v", e.id, e.silentFor())
									}
								}
							})
						})
					}
				}
			}
		}
	}
	for _, f := range failures {
		all := gaps[f.name]
		slices.Sort(all)
		if n := len(all); n > 0 {
			tier.Figure(t, "fail-over at a round trip of 20 ms, %-14s %6d ends: median %v, p95 %v, worst %v", f.name+",", n, all[n/2].Round(time.Millisecond), all[n*95/100].Round(time.Millisecond), all[n-1].Round(time.Millisecond))
		}
	}
}

// TestThinFlowsFailOver: data too thin for reports is missed after half a second.
func TestThinFlowsFailOver(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	const every = 50 * time.Millisecond
	simulate(t, 100, 2000, func(w *world) {
		e := w.ends[w.rng.IntN(2)]
		u := houses[w.rng.IntN(len(houses))].build(w, e)
		e.know()
		w.decide(w.rng.IntN(2) == 0)
		w.join(u, e.peer.uplinks[0])
		for _, e := range w.ends {
			e.thin = true
			e.flow(every)
		}
		w.run(time.Second+time.Duration(w.rng.Int64N(int64(time.Second))), nil)
		u.silent = true
		e.mark()
		e.peer.mark()
		w.run(2*time.Second, nil)
		for _, e := range w.ends {
			if e.silentFor() > quietAfter+3*roundTrip+3*every {
				w.fail("end %d hears nothing for %v", e.id, e.silentFor())
			}
		}
	})
}

// TestLongRoundTripsFailOver: the bound is one of round trips, and pairs need not
// be alike.
func TestLongRoundTripsFailOver(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	simulate(t, 100, 2000, func(w *world) {
		e := w.ends[w.rng.IntN(2)]
		legs := func() time.Duration { return time.Duration(w.rng.ExpFloat64() * float64(40*time.Millisecond)) }
		u := w.uplink(e, 1, false, false, legs())
		other := w.uplink(e, 2, false, false, legs())
		w.uplink(e.peer, 1, false, false, legs())
		longest := 2 * (max(u.delay, other.delay) + e.peer.uplinks[0].delay)
		e.know()
		w.decide(w.rng.IntN(2) == 0)
		w.join(u, e.peer.uplinks[0])
		w.run(time.Second, nil)
		e.flow(3 * time.Millisecond)
		e.peer.flow(3 * time.Millisecond)
		w.run(time.Second+10*longest, nil) // long enough to know how little it varies
		u.silent = true
		e.mark()
		e.peer.mark()
		w.run(time.Second+5*longest, nil)
		for _, e := range w.ends {
			if e.silentFor() > 4*longest+60*time.Millisecond {
				w.fail("end %d hears nothing for %v, the longest round trip is %v", e.id, e.silentFor(), longest)
			}
		}
	})
}
