package pmtud

import (
	"math/rand/v2"
	"testing"
	"time"
)

// carried returns the rate of a transfer over a path, in Mbit/s of payload, from
// a time after its start on, and the model after it. fixed is a PLPMTU set by
// hand, 0 for discovery.
func carried(t testing.TB, seed uint64, fixed int, make func(m *model), from, to time.Duration) (rate float64, m *model, changes int) {
	t.Helper()
	cfg := Config{}
	if fixed > 0 {
		cfg = Config{Mode: Off, MaxPLPMTU: fixed}
	}
	m = newModel(cfg, rand.New(rand.NewPCG(seed, 1)))
	m.mtu, m.delay = 1500, 15*time.Millisecond
	m.odd.rate, m.odd.limit = 50e6, 200_000
	make(m)
	if testing.Verbose() && fixed == 0 && *told {
		m.trace = t.Logf
	}
	m.begin(1500)
	m.run(500*time.Millisecond, nil)
	c := m.transfer()
	m.run(from, nil)
	before := c.delivered
	changes = m.changes
	m.run(to-from, nil)
	if m.trouble != "" {
		t.Error(m.trouble)
	}
	return (c.delivered - before) * 8 / (to - from).Seconds() / 1e6, m, m.changes - changes
}

func TestTry(t *testing.T) {
	for _, tc := range []struct {
		name string
		mk   func(m *model)
	}{
		{"clean", func(m *model) {}},
		{"ecmp 1400 1:1", func(m *model) { m.odd.other, m.odd.otherShare = 1400, 2 }},
		{"ecmp 1400 1:3", func(m *model) { m.odd.other, m.odd.otherShare = 1400, 4 }},
		{"ecmp 1400 1:1 ptb", func(m *model) { m.odd.other, m.odd.otherShare, m.ptb = 1400, 2, true }},
		{"1%", func(m *model) { m.odd.lossAbove, m.odd.sizeLoss = 1400, .01 }},
		{".1%", func(m *model) { m.odd.lossAbove, m.odd.sizeLoss = 1400, .001 }},
		{".1% 10M", func(m *model) {
			m.odd.lossAbove, m.odd.sizeLoss = 1400, .001
			m.odd.rate, m.odd.limit = 10e6, 50e3
		}},
		{"filter", func(m *model) { m.odd.dataAbove = 1400 }},
		{"2kB", func(m *model) { m.odd.rate, m.odd.limit = 10e6, 2000 }},
		{"10kB", func(m *model) { m.odd.rate, m.odd.limit = 10e6, 10000 }},
		{"30kB", func(m *model) { m.odd.rate, m.odd.limit = 10e6, 30000 }},
		{"policer", func(m *model) { m.odd.rate, m.odd.limit, m.odd.police = 10e6, 10000, true }},
	} {
		d := 60 * time.Second
		a, m, n := carried(t, 1, 0, tc.mk, 10*time.Second, d)
		b, _, _ := carried(t, 1, 1500, tc.mk, 10*time.Second, d)
		c, _, _ := carried(t, 1, 1400, tc.mk, 10*time.Second, d)
		t.Logf("%-20s discovery %.2f (%d, %d changes, %d false)  1500 %.2f  1400 %.2f", tc.name, a, m.d.PLPMTU(), n, m.d.FalseAlarms(), b, c)
	}
}
