package pmtud

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"fathom/test/tier"
)

// oddPath returns a path of 30 ms and 8 Mbit/s with oddities, on which a search has
// ended. fixed is a PLPMTU set by hand, 0 for discovery.
func oddPath(t testing.TB, fixed int, odd func(m *model)) *model {
	t.Helper()
	cfg := Config{}
	if fixed > 0 {
		cfg = Config{Mode: Off, MaxPLPMTU: fixed}
	}
	m := newModel(cfg, rand.New(rand.NewPCG(8899, 12)))
	m.mtu, m.delay = 1500, 15*time.Millisecond
	m.odd.rate, m.odd.limit = 8e6, 40_000
	odd(m)
	if *told && fixed == 0 {
		m.trace = t.Logf
	}
	m.begin(1500)
	m.run(500*time.Millisecond, nil)
	return m
}

// carry lets a connection run, and returns what it has carried in each of several
// periods, in Mbit/s of payload, and how often the PLPMTU changed in each.
func (m *model) carry(periods ...time.Duration) (rates []float64, changes []int) {
	c := m.transfer()
	for _, period := range periods {
		before, changed := c.delivered, m.changes
		m.run(period, nil)
		rates = append(rates, (c.delivered-before)*8/period.Seconds()/1e6)
		changes = append(changes, m.changes-changed)
	}
	return rates, changes
}

func TestSizesThatPassOnlySometimes(t *testing.T) {
	tier.Select(t, tier.Long, tier.Native)
	other := func(mtu, share int, ptb bool) func(m *model) {
		return func(m *model) { m.odd.other, m.odd.otherShare, m.ptb = mtu, share, ptb }
	}
	fast := 20e6
	if tier.Full() {
		fast = 50e6
	}
	loses := func(share, rate float64) func(m *model) {
		return func(m *model) {
			m.odd.lossAbove, m.odd.sizeLoss = 1400, share
			m.odd.rate, m.odd.limit = rate, int(rate/200)
		}
	}
	for _, tc := range []struct {
		name    string
		odd     func(m *model)
		small   int           // the size by hand beside 1500
		settles time.Duration // of a transfer, before it is compared
		ratio   float64
	}{
		{"links of 1500 and 1400, 1:1", other(1400, 2, false), 1400, 10 * time.Second, 0.9},
		{"links of 1500 and 1400, 1:1, with PTBs", other(1400, 2, true), 1400, 10 * time.Second, 0.9},
		{"links of 1500 and 1400, 3:1", other(1400, 4, false), 1400, 10 * time.Second, 0.9},
		{"links of 1500 and 1400, 3:1, with PTBs", other(1400, 4, true), 1400, 10 * time.Second, 0.9},
		{"links of 1500 and 1280, 1:1", other(1280, 2, false), 1280, 10 * time.Second, 0.9},
		{"links of 1500 and 1280, 1:1, with PTBs", other(1280, 2, true), 1280, 10 * time.Second, 0.9},
		{"links of 1500 and 1280, 3:1", other(1280, 4, false), 1280, 10 * time.Second, 0.9},
		{"links of 1500 and 1280, 3:1, with PTBs", other(1280, 4, true), 1280, 10 * time.Second, 0.9},
		{"large packets lose 1 %, at much more than they carry then", loses(0.01, fast), 1400, 60 * time.Second, 0.9},
		{"large packets lose 1 %, at 2 Mbit/s", loses(0.01, 2e6), 1400, 60 * time.Second, 0.9},
		{"large packets lose 0.1 %, at more than they carry then", loses(0.001, fast), 1400, 60 * time.Second, 0.9},
		{"large packets lose 0.1 %, at 5 Mbit/s", loses(0.001, 5e6), 1400, 60 * time.Second, 0.9},
		{"a filter drops large data, and no probes", func(m *model) { m.odd.dataAbove = 1400 }, 1400, 10 * time.Second, 0.9},
		{"nothing", func(*model) {}, 1400, 10 * time.Second, 0.9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			compared, hand := []time.Duration{30 * time.Second}, []time.Duration{10 * time.Second, 20 * time.Second}
			if tier.Full() {
				compared, hand = slices.Repeat([]time.Duration{time.Minute}, 15), []time.Duration{tc.settles, time.Minute}
			}
			periods := append([]time.Duration{10 * time.Second}, compared...)
			from := 1
			if tc.settles > 10*time.Second { // the first minute is for that
				periods, from = slices.Insert(periods, 1, time.Minute), 2
			}
			m := oddPath(t, 0, tc.odd)
			rates, changes := m.carry(periods...)
			large, _ := oddPath(t, 1500, tc.odd).carry(hand...)
			small, _ := oddPath(t, tc.small, tc.odd).carry(hand...)
			best, got := max(large[1], small[1]), slices.Min(rates[from:])
			tier.Figure(t, "%s: %.2f Mbit/s at worst in a period, %d at last; by hand %.2f with 1500, %.2f with %d; changes in 10 s and each period up to a minute: %v",
				tc.name, got, m.d.PLPMTU(), large[1], small[1], tc.small, changes)
			if got < tc.ratio*best {
				t.Errorf("%.2f of the better size: %.2f", got/best, rates)
			}
			if slices.Max(changes[1:]) > 3 {
				t.Errorf("changes in each minute: %v", changes[1:])
			}
			if m.d.ptbs.ignores(m.now) {
				t.Error("honest PTBs are ignored")
			}
			if large[1] > 1.02*small[1] && m.d.PLPMTU() < 1500 {
				t.Errorf("the large size is better, and the PLPMTU %d", m.d.PLPMTU())
			}
			if m.trouble != "" {
				t.Error(m.trouble)
			}
		})
	}
}

// TestFullQueues lets connections fill queues of few packets, and policers: they lose
// large packets more often than small ones, by any size of the large ones. Only where
// the queue has hardly room for one large packet do smaller ones carry more.
func TestFullQueues(t *testing.T) {
	tier.Select(t, tier.Long, tier.Native)
	for _, tc := range []struct {
		limit  int
		police bool
		flows  int
		alarms int // false ones in an hour, at most, after the first ten seconds
		size   int // the PLPMTU is at most that at last
	}{
		{2_000, false, 1, 1, 700},
		{10_000, false, 1, 0, 1500},
		{10_000, false, 4, 1, 1500},
		{30_000, false, 1, 0, 1500},
		{30_000, false, 4, 0, 1500},
		{10_000, true, 1, 0, 1500},
		{10_000, true, 2, 2, 1500},
		{10_000, true, 4, 60, 1500},
		{30_000, true, 1, 0, 1500},
		{30_000, true, 4, 60, 1500},
		{100_000, true, 2, 60, 1500},
		{100_000, true, 4, 60, 1500},
	} {
		name := fmt.Sprintf("a queue of %d kB, %d flows", tc.limit/1000, tc.flows)
		if tc.police {
			name = fmt.Sprintf("a policer with bursts of %d kB, %d flows", tc.limit/1000, tc.flows)
		}
		t.Run(name, func(t *testing.T) {
			length := time.Minute
			if tier.Full() {
				length = time.Hour
			}
			odd := func(m *model) { m.odd.rate, m.odd.limit, m.odd.police = 10e6, tc.limit, tc.police }
			m := oddPath(t, 0, odd)
			carried, changes, alarms := m.fill(tc.flows, length)
			large, _, _ := oddPath(t, 1500, odd).fill(tc.flows, length)
			tier.Figure(t, "%s at 10 Mbit/s: %d changes and %d false alarms in %v, %.2f Mbit/s and the PLPMTU %d at last; with 1500 by hand %.2f",
				name, changes, alarms, length, carried, m.d.PLPMTU(), large)
			if carried < 0.9*large {
				t.Errorf("%.2f Mbit/s, by hand %.2f", carried, large)
			}
			if minutes := int(length / time.Minute); changes > 3*minutes || alarms > max(tc.alarms*minutes/60, min(tc.alarms, 2)) {
				t.Errorf("%d changes and %d false alarms", changes, alarms)
			}
			if m.d.PLPMTU() > tc.size {
				t.Errorf("the PLPMTU is %d at last", m.d.PLPMTU())
			}
		})
	}
}

// fill lets connections run for ten seconds and a while. It returns what they carry in
// that while, in Mbit/s of payload, how often the PLPMTU changes, and the false alarms.
func (m *model) fill(flows int, length time.Duration) (rate float64, changes, alarms int) {
	var all []*cubic
	for range flows {
		all = append(all, m.transfer())
		m.run(70*time.Millisecond, nil) // they do not begin as one
	}
	m.run(10*time.Second, nil)
	delivered := func() (sum float64) {
		for _, c := range all {
			sum += c.delivered
		}
		return sum
	}
	before, changed, alarmed := delivered(), m.changes, m.falseAlarms()
	m.run(length, nil)
	return (delivered() - before) * 8 / length.Seconds() / 1e6, m.changes - changed, m.falseAlarms() - alarmed
}

// TestLinksByFlow: where each flow keeps to a link, the tunnel is one flow, and has
// the MTU of its link until a router balances anew.
func TestLinksByFlow(t *testing.T) {
	m := oddPath(t, 0, func(m *model) { m.odd.rate, m.odd.limit = 8e6, 40_000 })
	c := m.transfer()
	for i := range 6 {
		m.mtu = []int{1500, 1400, 1280}[i%3]
		m.run(2*time.Second, func() bool { return m.d.PLPMTU() <= m.mtu })
		before := c.delivered
		m.run(20*time.Second, nil)
		if rate := (c.delivered - before) * 8 / 20 / 1e6; rate < 0.85*8 {
			t.Errorf("on the link of %d: %.2f Mbit/s with %d", m.mtu, rate, m.d.PLPMTU())
		}
		if m.d.PLPMTU() != m.exact() {
			t.Errorf("on the link of %d: PLPMTU %d", m.mtu, m.d.PLPMTU())
		}
	}
}

// TestTheLossGoesAway: the size that lost is tried again, and stays if it passes.
func TestTheLossGoesAway(t *testing.T) {
	m := oddPath(t, 0, func(m *model) { m.odd.other, m.odd.otherShare, m.odd.rate = 1400, 2, 2e6 })
	m.carry(10 * time.Second)
	if m.d.PLPMTU() > 1400 || !m.d.Settled() {
		t.Fatalf("PLPMTU %d", m.d.PLPMTU())
	}
	m.odd.otherShare = 0
	m.run(time.Hour, func() bool { return m.d.PLPMTU() == 1500 && m.d.trial.phase == idle })
	if m.d.PLPMTU() != 1500 || m.d.trial.phase != idle {
		t.Errorf("PLPMTU %d after an hour without loss", m.d.PLPMTU())
	}
}

// TestTheKernelRefusesForNow: the far end of the egress has a smaller MTU, and the
// kernel says ENOBUFS to what is larger, at once, each time.
func TestTheKernelRefusesForNow(t *testing.T) {
	for _, refuse := range []int{1400, 1204, 700} {
		m := newPath(1500)
		m.delay = 100 * time.Microsecond
		m.odd.refuse = refuse
		m.begin(1500)
		worst := 0
		settled := func() bool { return m.d.Settled() && m.d.PLPMTU() == m.d.search.grid.floor(refuse) }
		for range 30 {
			before := m.refused
			m.run(time.Second, nil)
			worst = max(worst, m.refused-before)
		}
		if !settled() || worst > 20 {
			t.Errorf("refuses above %d: PLPMTU %d in %v, %d refused in a second", refuse, m.d.PLPMTU(), m.d.State(), worst)
		}
		// While nothing leaves at all, it is an outage.
		m.odd.refuse = 1
		m.d.Confirm()
		before := m.refused
		m.run(10*time.Second, nil)
		if m.d.State() != Unreachable || m.d.PLPMTU() != m.d.search.grid.floor(refuse) || m.refused-before > 200 {
			t.Errorf("refuses all: %v, PLPMTU %d, %d refused in 10 s", m.d.State(), m.d.PLPMTU(), m.refused-before)
		}
		m.odd.refuse = refuse
		if !m.run(20*time.Second, settled) {
			t.Errorf("afterwards: PLPMTU %d in %v", m.d.PLPMTU(), m.d.State())
		}
	}
}

// TestAnIdlePathThatShrinks: a confirmation that has no answer causes a verification, and
// the PLPMTU is known before the first large packet.
func TestAnIdlePathThatShrinks(t *testing.T) {
	for i := range 20 {
		m := complete(t, 1500, 1500)
		m.run(time.Minute, nil)
		m.mtu = 1200 + 12*i
		at, limit := m.now, m.d.rtt.timeout()+2*m.rtt() // the lone probe, and the fan
		if !m.d.Confirm() {
			t.Fatal("it is not done")
		}
		if !m.run(time.Second, func() bool { return m.d.PLPMTU() <= m.mtu }) || m.now.Sub(at) > limit {
			t.Errorf("to %d: PLPMTU %d after %v", m.mtu, m.d.PLPMTU(), m.now.Sub(at))
		}
		if !m.run(time.Second, func() bool { return m.d.Settled() && m.d.PLPMTU() == m.exact() }) {
			t.Errorf("to %d: PLPMTU %d in %v", m.mtu, m.d.PLPMTU(), m.d.State())
		}
	}
}
