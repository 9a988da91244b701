package pmtud

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"fathom/test/tier"
)

// bundle returns a path of 30 ms, on which a search has ended: links of 1500 bytes, and others
// that odd adds. fixed is a PLPMTU set by hand, 0 for discovery.
func bundle(seed uint64, fixed int, rate float64, odd func(m *model)) *model {
	cfg := Config{}
	if fixed > 0 {
		cfg = Config{Mode: Off, MaxPLPMTU: fixed}
	}
	m := newModel(cfg, rand.New(rand.NewPCG(seed, 12)))
	m.mtu, m.delay = 1500, 15*time.Millisecond
	m.odd.rate, m.odd.limit = rate, int(rate/200)
	odd(m)
	m.begin(1500)
	m.run(500*time.Millisecond, nil)
	return m
}

// bundleRates are the rates of bundles, in bit/s: a connection that has lost much backs off
// the longer the faster it was.
func bundleRates() []float64 {
	if tier.Full() {
		return []float64{2e6, 8e6, 50e6}
	}
	return []float64{2e6, 5e6, 10e6}
}

// bundleSeeds returns how many paths of each kind there are.
func bundleSeeds() uint64 {
	if tier.Full() {
		return 15
	}
	return 2
}

// TestBondedLines: whatever chance makes of a bundle, and however fast it is, a connection
// carries what it does with the smallest line's MTU by hand. On lines of three sizes the first
// size that is tried may be lost itself, as PTBs tell of one line at a time.
func TestBondedLines(t *testing.T) {
	tier.Select(t, tier.Long, tier.Native)
	for _, lines := range [][]int{{1500, 1400}, {1500, 1500, 1500, 1400}, {1500, 1500, 1280}, {1500, 1400, 1280}, {1500, 1400, 1280, 1280}, {1500, 1400, 1400, 1400, 1280}} {
		for _, ptb := range []bool{true, false} {
			if !ptb && !tier.Full() {
				continue
			}
			for _, inTurn := range []bool{false, true} {
				for _, rate := range bundleRates() {
					name := fmt.Sprintf("%v, PTBs %v, in turn %v, %.0f Mbit/s", lines, ptb, inTurn, rate/1e6)
					t.Run(name, func(t *testing.T) {
						odd := func(m *model) { m.odd.lines, m.ptb, m.odd.inTurn = lines, ptb, inTurn }
						known, _ := bundle(0, slices.Min(lines), rate, odd).carry(10*time.Second, 10*time.Second)
						slow := uint64(0)
						var then []float64
						for seed := range bundleSeeds() {
							m := bundle(seed, 0, rate, odd)
							rates, changes := m.carry(20*time.Second, 10*time.Second)
							then = append(then, rates[1])
							if rates[1] < 0.85*known[1] {
								slow++
							}
							if changes[1] > 3 || m.d.ptbs.ignores(m.now) || m.trouble != "" {
								t.Errorf("path %d: %d changes, honest PTBs ignored: %v; %s", seed, changes[1], m.d.ptbs.ignores(m.now), m.trouble)
							}
						}
						tier.Figure(t, "%s: at worst %.2f Mbit/s after 20 s; by hand %.2f", name, slices.Min(then), known[1])
						if slow > bundleSeeds()/15 {
							t.Errorf("%d paths get less than 0.85 of %.2f Mbit/s: %.2f", slow, known[1], then)
						}
					})
				}
			}
		}
	}
}

// TestABundleThatWorsens: the smaller size has settled, and then loses itself, as the smaller
// link becomes smaller yet. Once that is mended, the sizes come back one after the other.
func TestABundleThatWorsens(t *testing.T) {
	tier.Select(t, tier.Long, tier.Native)
	for _, tc := range []struct {
		other, then, share int
		ptb                bool
	}{
		{1400, 1280, 2, true},
		{1400, 1280, 4, true},
		{1400, 1000, 3, false},
	} {
		for _, rate := range bundleRates() {
			name := fmt.Sprintf("1500 and %d, then %d, one in %d, PTBs %v, %.0f Mbit/s", tc.other, tc.then, tc.share, tc.ptb, rate/1e6)
			t.Run(name, func(t *testing.T) {
				odd := func(m *model) { m.odd.other, m.odd.otherShare, m.ptb = tc.other, tc.share, tc.ptb }
				hand := bundle(0, tc.then, rate, odd)
				known, _ := hand.carry(10*time.Second, 20*time.Second)
				for seed := range bundleSeeds() {
					m := bundle(seed, 0, rate, odd)
					c := m.transfer()
					if !m.run(30*time.Second, func() bool { return m.d.trial.phase == settled }) {
						t.Fatalf("path %d: nothing settles; PLPMTU %d", seed, m.d.PLPMTU())
					}
					m.run(5*time.Second, nil)
					first := m.d.PLPMTU()
					m.odd.other = tc.then
					m.run(20*time.Second, nil)
					before, changes := c.delivered, m.changes
					m.run(20*time.Second, nil)
					got, size := (c.delivered-before)*8/20/1e6, m.d.PLPMTU()
					if got < 0.85*known[1] || m.changes-changes > 3 {
						t.Errorf("path %d: %.2f Mbit/s, by hand %.2f; PLPMTU %d, then %d; %d changes", seed, got, known[1], first, size, m.changes-changes)
					}
					if m.d.ptbs.ignores(m.now) {
						t.Errorf("path %d: honest PTBs are ignored", seed)
					}
					c.ended, m.odd.other = true, tc.other
					if !m.run(maxRecheck+maxRecheckTime, func() bool { return m.d.PLPMTU() >= first }) {
						t.Errorf("path %d: PLPMTU %d after the link was mended, before %d", seed, m.d.PLPMTU(), first)
					}
					m.odd.otherShare = 0
					if !m.run(maxRecheck+maxRecheckTime, func() bool { return m.d.PLPMTU() == 1500 && m.d.Settled() }) {
						t.Errorf("path %d: PLPMTU %d though all passes", seed, m.d.PLPMTU())
					}
					if m.trouble != "" {
						t.Error(m.trouble)
					}
				}
			})
		}
	}
}
