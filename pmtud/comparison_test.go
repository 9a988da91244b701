package pmtud

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"fathom/test/tier"
)

// narrowBundle returns a path of 5 Mbit/s that carries only one packet in four by a link
// of 1500 bytes, and the others by a smaller one. The search has ended, or goes on.
func narrowBundle(cfg Config, seed uint64, roundTrip time.Duration, odd func(m *model)) *model {
	m := newModel(cfg, rand.New(rand.NewPCG(seed, 12)))
	m.mtu, m.delay = 1500, roundTrip/2
	m.odd.rate, m.odd.limit = 5e6, 62_500
	m.odd.other, m.odd.ownShare = 1400, 4
	odd(m)
	m.begin(1500)
	m.run(time.Duration(m.rng.IntN(3000))*time.Millisecond, nil)
	return m
}

// TestAConnectionThatBacksOff: most large packets are lost, so a connection sends fewer
// and fewer of them, in the end one in many seconds. It must not stall.
func TestAConnectionThatBacksOff(t *testing.T) {
	tier.Select(t, tier.Long, tier.Native)
	paths := uint64(6)
	if tier.Full() {
		paths = 60
	}
	for _, mtu := range []int{1400, 1280} {
		for _, roundTrip := range []time.Duration{20 * time.Millisecond, 60 * time.Millisecond} {
			for _, way := range []struct {
				name string
				odd  func(m *model)
			}{
				{"by chance", func(*model) {}},
				{"in turn", func(m *model) { m.odd.inTurn = true }},
				{"by chance, with PTBs", func(m *model) { m.ptb = true }},
			} {
				name := fmt.Sprintf("1500 and %d, %v, %s", mtu, roundTrip, way.name)
				t.Run(name, func(t *testing.T) {
					odd := func(m *model) {
						m.odd.other = mtu
						way.odd(m)
					}
					hand := narrowBundle(Config{Mode: Off, MaxPLPMTU: mtu}, 0, roundTrip, odd)
					known, _ := hand.carry(10*time.Second, 20*time.Second)
					var first, then []float64
					slow := uint64(0)
					for seed := range paths {
						m := narrowBundle(Config{}, seed, roundTrip, odd)
						rates, _ := m.carry(10*time.Second, 20*time.Second)
						first, then = append(first, rates[0]), append(then, rates[1])
						if rates[1] < 0.85*known[1] {
							slow++
						}
						if rates[1] < 0.5*known[1] {
							t.Errorf("path %d: %.2f Mbit/s, by hand %.2f; PLPMTU %d", seed, rates[1], known[1], m.d.PLPMTU())
						}
						if m.trouble != "" {
							t.Error(m.trouble)
						}
					}
					if slow > paths/20 {
						t.Errorf("%d of %d paths get less than 0.85 of %.2f Mbit/s: %.2f", slow, paths, known[1], then)
					}
					tier.Figure(t, "%s: at worst %.2f Mbit/s in ten seconds, and %.2f in the next twenty; by hand %.2f",
						name, slices.Min(first), slices.Min(then), known[1])
				})
			}
		}
	}
}

// TestAThinFlow: one large packet in a while is enough for a verdict.
func TestAThinFlow(t *testing.T) {
	for seed := range uint64(10) {
		m := narrowBundle(Config{}, seed, 20*time.Millisecond, func(*model) {})
		m.data, m.nextData, m.small = 10*time.Second, m.now, 0
		if !m.run(2*time.Minute, func() bool { return m.d.PLPMTU() <= 1400 && m.d.Settled() }) {
			t.Errorf("path %d: PLPMTU %d after two minutes", seed, m.d.PLPMTU())
		}
		m.run(10*time.Minute, nil)
		if m.d.PLPMTU() > 1400 && m.d.trial.phase != larger {
			t.Errorf("path %d: PLPMTU %d later, in phase %d: %v", seed, m.d.PLPMTU(), m.d.trial.phase, m.d.History())
		}
	}
}

func TestAFanOfPairs(t *testing.T) {
	for _, tc := range []struct {
		size, copies int
		want         []int
	}{
		{1500, 1, []int{1500, 576, 1500, 576, 1500, 576, 1500, 576, 576}},
		{1500, 4, []int{1500, 576, 1500, 576, 576}},
		{9000, 1, []int{9000, 576, 9000, 576, 576}},
	} {
		if got := initialBudget.each(tc.copies).pairs(nil, tc.size, 576); !slices.Equal(got, tc.want) {
			t.Errorf("%d in %d copies: %v, want %v", tc.size, tc.copies, got, tc.want)
		}
	}
}

// TestPairs counts the fans of pairs until they have told that the PLPMTU passes only
// sometimes: never, where small packets are lost as often.
func TestPairs(t *testing.T) {
	const most = 1000
	for _, tc := range []struct {
		name  string
		lost  func(i int, large bool, rng *rand.Rand) bool
		least int
		until int
	}{
		{"three of four large ones", func(_ int, large bool, rng *rand.Rand) bool { return large && rng.IntN(4) > 0 }, 3, 15},
		{"half of the large ones", func(_ int, large bool, rng *rand.Rand) bool { return large && rng.IntN(2) > 0 }, 4, 20},
		{"each second large one", func(i int, large bool, _ *rand.Rand) bool { return large && i%4 == 2 }, 4, 12},
		{"a tenth of all", func(_ int, _ bool, rng *rand.Rand) bool { return rng.IntN(10) == 0 }, most, most},
		{"half of all", func(_ int, _ bool, rng *rand.Rand) bool { return rng.IntN(2) == 0 }, most, most},
		{"nearly all", func(_ int, _ bool, rng *rand.Rand) bool { return rng.IntN(10) > 0 }, most, most},
		{"all large ones", func(_ int, large bool, _ *rand.Rand) bool { return large }, most, most},
		{"none", func(int, bool, *rand.Rand) bool { return false }, most, most},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for seed := range uint64(20) {
				rng := rand.New(rand.NewPCG(seed, 7))
				d, now := rested(t)
				fans := 0
				for ; fans < most && !d.detector.sizes.contradictory(0); fans++ {
					sizes := initialBudget.pairs(nil, 1500, 576)
					d.round.begin(d.probes.counter, len(sizes), 1500, time.Second, now)
					for i, size := range sizes {
						d.probes.add(d.round.number, size, now)
						p := d.probes.number(d.probes.counter - 1)
						if p.Outcome = Passed; tc.lost(i, size > 1000, rng) {
							p.Outcome = Lost
						}
					}
					d.detector.sizes.compare(d.faring())
				}
				if v := &d.detector.sizes; fans < most && (v.contradictory(0.4) || !v.contradictory(0.9)) {
					t.Errorf("path %d: excused by 0.4 and 0.9 of all lost: %v, %v, want true, false", seed, !v.contradictory(0.4), !v.contradictory(0.9))
				}
				if fans < tc.least || fans > tc.until {
					t.Errorf("path %d: after %d fans, want %d to %d", seed, fans, tc.least, tc.until)
				}
			}
		})
	}
}
