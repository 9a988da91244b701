package pmtud

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"fathom/test/tier"
)

// A life holds the measurements of one random path.
type life struct {
	trouble            string
	mtu, then          int
	clean, lossless    bool // without loss, reordering and lying PTBs; without loss
	lies               bool
	loss               float64
	exact, proved      float64 // round trips from the start
	detected           float64 // ms from the shrinking to a passing PLPMTU
	detectedIn         float64 // the same in round trips
	found              float64 // round trips from the shrinking to exact
	regrown            float64 // seconds from growing to exact
	afterPTB           bool
	rttMS              float64
	probes, probeBytes int
}

// forgeries sends PTBs of someone off the path.
func (m *model) forgeries(every time.Duration, until time.Time) {
	if !m.now.Before(until) {
		return
	}
	m.d.PTB(PTB{MTU: m.rng.IntN(9300), Size: m.rng.IntN(9300)}, m.now)
	m.after(every, func() { m.forgeries(every, until) })
}

// live lets one random path be born, shrink and grow.
func live(seed uint64, trace func(string, ...any)) (l life) {
	rng := rand.New(rand.NewPCG(seed, 0x8899))
	cfg := Config{}
	m := newModel(cfg, rng)
	m.trace = trace
	v6 := rng.IntN(4) == 0
	minMTU := 576
	if v6 {
		minMTU = 1280
	}
	egress := []int{1500, 1500, 9000, 9216}[rng.IntN(4)]
	randomMTU := func() int {
		if rng.IntN(2) == 0 {
			return min(max(minMTU, 1280+rng.IntN(221)), egress)
		}
		return minMTU + rng.IntN(egress-minMTU+1)
	}
	m.mtu = randomMTU()
	m.delay = time.Duration(500+rng.IntN(199_500)) * time.Microsecond
	if rng.IntN(3) > 0 {
		m.loss = rng.Float64() * 0.10
	}
	if rng.IntN(3) == 0 {
		m.reorder, m.lateness = rng.Float64()*0.3, m.delay/2
	}
	switch rng.IntN(4) {
	case 0:
		m.ptb = true
	case 1: // delayed or wrong
		m.ptb, m.ptbDelay = true, time.Duration(rng.IntN(1000))*time.Millisecond
		m.ptbOffset = rng.IntN(400) - 200
	}
	m.clearsDF = rng.IntN(16) == 0
	rtt := m.rtt()
	lies := m.ptb && (m.ptbOffset != 0 || m.ptbDelay != 0)
	l.lies, l.loss = lies, m.loss
	l.mtu, l.clean, l.lossless, l.rttMS = m.mtu, m.loss == 0 && m.reorder == 0 && !lies, m.loss == 0, ms(rtt)
	fail := func(format string, args ...any) life {
		l.trouble = m.trouble
		if l.trouble == "" {
			l.trouble = fmt.Sprintf(format, args...)
		}
		return l
	}
	exact := func() bool { return m.d.PLPMTU() == m.exact() }
	proved := func() bool { return exact() && !m.d.suspects() && (m.d.State() == SearchComplete || m.d.settled) }

	// Birth: from the base size to exact.
	m.d.NewEndpoint(Endpoint{IPv6: v6, EgressMTU: egress}, m.now)
	m.d.SeedRTT(rtt)
	begin := m.now
	if rng.IntN(8) == 0 { // forged PTBs all along
		m.after(0, func() { m.forgeries(time.Duration(1+rng.IntN(50))*time.Millisecond, begin.Add(5*time.Second)) })
	}
	if !m.run(700*time.Second, exact) {
		return fail("PLPMTU is %d of %d after the start", m.d.PLPMTU(), m.exact())
	}
	l.exact = float64(m.now.Sub(begin)) / float64(rtt)
	if !m.run(700*time.Second, proved) {
		return fail("the search does not end")
	}
	l.proved = float64(m.now.Sub(begin)) / float64(rtt)

	// Some paths are odd for a while.
	odd := rand.New(rand.NewPCG(seed, 0x0dd)) // of its own: the other paths stay as they were
	calms := time.Minute                      // a false alarm may be on
	if odd.IntN(oddOf) == 0 {
		calms = 2 * defaultRaise // or a trial, by what was lost then
		m.odd = drawOddities(odd, minMTU, m.mtu)
		m.data, m.nextData = time.Duration(1+odd.IntN(10))*time.Millisecond, m.now
		m.run(time.Duration(odd.Int64N(int64(10*time.Second))), nil)
		loss := m.loss
		m.odd, m.data, m.loss = oddities{}, 0, 0 // a recheck fails by chance where much is lost
		if !m.run(oddRest, func() bool { return proved() && m.d.trial.phase == idle }) {
			return fail("PLPMTU is %d of %d after the path was odd", m.d.PLPMTU(), m.exact())
		}
		m.loss = loss
	}

	// The path shrinks under flowing data.
	m.data = []time.Duration{100 * time.Microsecond, time.Millisecond, 4 * time.Millisecond}[rng.IntN(3)]
	m.nextData = m.now
	m.run(3*rtt+time.Duration(rng.Int64N(int64(50*time.Millisecond))), nil)
	if !m.run(calms, proved) {
		return fail("data alone moves the PLPMTU for good")
	}
	if m.mtu = randomMTU(); m.mtu > m.exact() {
		m.mtu = m.exact()
	}
	if m.exact() >= m.d.PLPMTU() {
		m.mtu = max(minMTU, m.d.PLPMTU()-4-rng.IntN(200))
	}
	if m.clearsDF { // then nothing vanishes
		m.clearsDF = false
	}
	l.then, l.afterPTB = m.mtu, m.ptb && m.ptbOffset == 0 && m.ptbDelay == 0
	shrunk := m.now
	shrinks := m.exact() < m.d.PLPMTU()
	if shrinks {
		fits := func() bool { return m.d.PLPMTU() <= m.mtu }
		bound := detectionBound(m)
		if !m.run(bound, fits) {
			return fail("PLPMTU %d above the path's %d for more than %v (RTT %v, loss %.3f)", m.d.PLPMTU(), m.mtu, bound, rtt, m.loss)
		}
		l.detected = ms(m.now.Sub(shrunk))
		l.detectedIn = float64(m.now.Sub(shrunk)) / float64(rtt)
		m.data = 0
		if !m.run(700*time.Second, proved) {
			return fail("PLPMTU is %d of %d after shrinking", m.d.PLPMTU(), m.exact())
		}
		l.found = float64(m.now.Sub(shrunk)) / float64(rtt)
	}
	m.data = 0

	// It grows again.
	m.mtu = min(max(randomMTU(), m.mtu), egress)
	grown, grew := m.now, !exact()
	if !m.run(1300*time.Second, proved) {
		return fail("PLPMTU is %d of %d after growing", m.d.PLPMTU(), m.exact())
	}
	if grew {
		l.regrown = m.now.Sub(grown).Seconds()
	}
	if m.trouble != "" {
		return fail("")
	}
	l.probes, l.probeBytes = m.probes, m.probeBytes
	return l
}

// detectionBound is how long a PLPMTU may be above the path's MTU while data
// flows: the time to lose enough packets, a request, its report, and as often
// again as loss, which also hides the proof, makes likely.
func detectionBound(m *model) time.Duration {
	interval := max(m.rtt()/2, requestInterval)
	once := m.rtt() + m.lateness + 2*interval + 24*m.data
	return once*time.Duration(2+60*m.loss) + 4*m.rtt()
}

// seedOf returns the first seed of a test's paths. They are the same each time, so
// that a change fails by what it does and not by chance, and new ones at full size.
func seedOf(t testing.TB) uint64 {
	seed := uint64(8899)
	if tier.Full() {
		seed = uint64(time.Now().UnixNano())
	}
	if s := os.Getenv("PMTUD_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			t.Fatalf("PMTUD_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("seed %d (PMTUD_SEED sets it)", seed)
	return seed
}

func TestManyRandomPaths(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	n := 5_000
	switch {
	case tier.Full():
		n = 100_000
	case testing.Short():
		n = 1_000
	}
	if s := os.Getenv("PMTUD_PATHS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	seed := seedOf(t)
	began := time.Now()
	lives := make([]life, n)
	failed := 0
	for i := range lives {
		lives[i] = live(seed+uint64(i), nil)
		if lives[i].trouble != "" {
			failed++
			if failed <= 5 {
				t.Errorf("path %d: %s (PMTUD_SEED=%d PMTUD_PATHS=1)", i, lives[i].trouble, seed+uint64(i))
			}
		}
		if n == 1 {
			live(seed, t.Logf) // once more, told
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d paths failed", failed, n)
	}
	t.Logf("%d paths in %v", n, time.Since(began).Round(time.Millisecond))
	show := func(what string, of func(life) (float64, bool)) []float64 {
		var v []float64
		worst, at := -1.0, 0
		for i, l := range lives {
			if x, ok := of(l); ok && l.trouble == "" {
				v = append(v, x)
				if x > worst {
					worst, at = x, i
				}
			}
		}
		if len(v) == 0 {
			return nil
		}
		slices.Sort(v)
		quantile := func(p float64) float64 { return v[min(int(p*float64(len(v))), len(v)-1)] }
		tier.Figure(t, "%-58s %7d paths  median %8.2f  p95 %8.2f  p99 %8.2f  worst %8.2f (seed %d)",
			what, len(v), quantile(.5), quantile(.95), quantile(.99), worst, seed+uint64(at))
		return v
	}
	within := func(v []float64, p, limit float64) {
		t.Helper()
		if len(v) > 0 && v[min(int(p*float64(len(v))), len(v)-1)] > limit+0.02 {
			t.Errorf("want at most %v", limit)
		}
	}
	within(show("start to exact, no loss, 1280 to 1500, RTT", func(l life) (float64, bool) { return l.exact, l.clean && l.mtu >= 1280 && l.mtu <= 1500 }), 1, 3)
	within(show("start to exact, no loss, 1501 to 9216, RTT", func(l life) (float64, bool) { return l.exact, l.clean && l.mtu > 1500 }), 1, 5)
	show("start to exact, no loss, 576 to 1279, RTT", func(l life) (float64, bool) { return l.exact, l.clean && l.mtu < 1280 })
	show("start to exact, reordering alone, RTT", func(l life) (float64, bool) { return l.exact, l.lossless && !l.clean && !l.lies })
	show("start to exact, no loss, wrong or late PTBs, RTT", func(l life) (float64, bool) { return l.exact, l.lossless && l.lies })
	within(show("start to exact, 4 to 6 % loss, RTT", func(l life) (float64, bool) { return l.exact, l.loss > .04 && l.loss < .06 && !l.lies }), .95, 8)
	show("start to exact, all, RTT", func(l life) (float64, bool) { return l.exact, true })
	show("start to proved, all, RTT", func(l life) (float64, bool) { return l.proved, true })
	show("shrinking to a passing PLPMTU, RTT", func(l life) (float64, bool) { return l.detectedIn, l.detected > 0 })
	show("shrinking to a passing PLPMTU, honest PTB, RTT", func(l life) (float64, bool) { return l.detectedIn, l.detected > 0 && l.afterPTB })
	within(show("shrinking to a passing PLPMTU, RTT 10 to 30 ms, ms", func(l life) (float64, bool) { return l.detected, l.detected > 0 && l.rttMS > 10 && l.rttMS < 30 }), .5, 150)
	show("shrinking to exact, RTT", func(l life) (float64, bool) { return l.found, l.found > 0 })
	show("growing to exact, s", func(l life) (float64, bool) { return l.regrown, l.regrown > 0 })
	show("probes in a life", func(l life) (float64, bool) { return float64(l.probes), true })
}

const (
	// oddOf is how many random paths there are for one that is odd for a while.
	oddOf = 8
	// oddRest is how long a path has to be exact after that: the next recheck may be an hour
	// away.
	oddRest = maxRecheck + time.Minute
)

// restless lets a path change at any time, in any way, and asserts that it is
// exact once it rests.
func restless(seed uint64, trace func(string, ...any)) (trouble string, settled float64) {
	rng := rand.New(rand.NewPCG(seed, 0x4821))
	m := newModel(Config{}, rng)
	m.trace = trace
	egress := []int{1500, 9000}[rng.IntN(2)]
	m.mtu, m.delay = 576+rng.IntN(egress-575), time.Duration(1+rng.IntN(100))*time.Millisecond
	m.loss, m.reorder, m.lateness = rng.Float64()*0.1, rng.Float64()*0.2, m.delay/2
	m.begin(egress)
	odd := rand.New(rand.NewPCG(seed, 0x0dd)) // of its own: the other paths stay as they were
	isOdd, rests := odd.IntN(oddOf) == 0, 1300*time.Second
	if isOdd {
		rests = oddRest
	}
	for range 5 + rng.IntN(20) {
		if isOdd {
			m.odd = drawOddities(odd, 576, m.mtu)
		}
		switch rng.IntN(10) {
		case 0, 1, 2:
			m.mtu = 576 + rng.IntN(egress-575)
		case 3:
			m.data, m.nextData = time.Duration(1+rng.IntN(20))*time.Millisecond, m.now
		case 4:
			m.data = 0
		case 5:
			m.down = !m.down
		case 6:
			m.newSA()
		case 7:
			m.ptb, m.ptbOffset, m.ptbDelay = !m.ptb, rng.IntN(3)*100-100, time.Duration(rng.IntN(500))*time.Millisecond
		case 8:
			m.d.EgressMTU(max(576, egress-rng.IntN(egress)), m.now)
		case 9:
			if rng.IntN(2) == 0 {
				m.begin(egress)
			} else {
				m.d.LocalTooBig(m.d.PLPMTU(), m.now)
			}
		}
		m.run(time.Duration(rng.ExpFloat64()*float64(m.rtt())*8), nil)
	}
	m.down, m.ptb, m.loss, m.odd = false, false, min(m.loss, 0.03), oddities{}
	m.d.EgressMTU(egress, m.now)
	if isOdd {
		m.loss = 0 // a recheck fails by chance where much is lost
		// While a smaller size has settled, data alone finds a path between the two.
		m.mtu = max(m.mtu, m.d.search.lo)
	}
	m.data, m.nextData = 2*time.Millisecond, m.now
	rest := m.now
	// Answers to probes from before may still be under way; without data
	// nothing would contradict them.
	if !m.run(60*time.Second, func() bool {
		return m.d.PLPMTU() <= m.mtu && (m.d.State() == SearchComplete || m.d.settled)
	}) && m.trouble == "" {
		return fmt.Sprintf("PLPMTU %d above the path's %d", m.d.PLPMTU(), m.mtu), 0
	}
	m.data = 0
	if !m.run(rests, func() bool {
		return m.d.PLPMTU() == m.exact() && (m.d.State() == SearchComplete || m.d.settled)
	}) && m.trouble == "" {
		return fmt.Sprintf("PLPMTU %d of %d in %v", m.d.PLPMTU(), m.exact(), m.d.State()), 0
	}
	return m.trouble, m.now.Sub(rest).Seconds()
}

func TestRestlessPathsEndExact(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	n := 500
	if tier.Full() {
		n = 5_000
	}
	if s := os.Getenv("PMTUD_PATHS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	seed := seedOf(t)
	var v []float64
	failed := 0
	for i := range uint64(n) {
		trouble, settled := restless(seed+i, nil)
		if trouble != "" {
			if failed++; failed <= 5 {
				t.Errorf("%s (PMTUD_SEED=%d PMTUD_PATHS=1)", trouble, seed+i)
			}
		}
		if n == 1 {
			restless(seed, t.Logf)
		}
		v = append(v, settled)
	}
	slices.Sort(v)
	tier.Figure(t, "%d paths exact after they came to rest: median %.2f s, p95 %.2f s, worst %.2f s", n, v[n/2], v[n*95/100], v[n-1])
}
