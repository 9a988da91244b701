package pmtud

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"fathom/test/tier"
)

// complete brings a path of an MTU behind an interface to SearchComplete.
func complete(t *testing.T, mtu, egress int) *model {
	t.Helper()
	m := newPath(mtu)
	m.begin(egress)
	if !m.run(10*time.Second, func() bool { return m.d.State() == SearchComplete }) || m.d.PLPMTU() != m.exact() {
		t.Fatalf("PLPMTU is %d in %v", m.d.PLPMTU(), m.d.State())
	}
	return m
}

// flowing lets data flow for a while.
func (m *model) flowing(every, d time.Duration) {
	m.data, m.nextData = every, m.now
	m.run(d, nil)
}

func TestABlackHoleIsLeftInTime(t *testing.T) {
	for _, tc := range []struct {
		name  string
		loss  float64
		every time.Duration // between data packets
		small float64       // share of small ones
		from  int
		to    func(*rand.Rand) int
	}{
		{"without loss, above the base size", 0, time.Millisecond, 0.2, 1500, func(r *rand.Rand) int { return 1228 + r.IntN(268) }},
		{"without loss, below the base size", 0, time.Millisecond, 0.2, 1500, func(r *rand.Rand) int { return 576 + r.IntN(652) }},
		{"with one packet in a hundred lost", 0.01, time.Millisecond, 0.2, 1500, func(r *rand.Rand) int { return 1228 + r.IntN(268) }},
		{"under large packets alone", 0, time.Millisecond, 0, 1500, func(r *rand.Rand) int { return 1400 }},
		{"under 100,000 large packets a second", 0, 10 * time.Microsecond, 0, 1500, func(r *rand.Rand) int { return 1400 }},
		{"under a thin flow", 0, 15 * time.Millisecond, 0.2, 1500, func(r *rand.Rand) int { return 1400 }},
		{"on a jumbo path", 0, time.Millisecond, 0.2, 9000, func(r *rand.Rand) int { return 1500 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var took []time.Duration
			for i := range 100 {
				m := complete(t, tc.from, tc.from)
				m.rng = rand.New(rand.NewPCG(uint64(i), 20))
				m.loss, m.small, m.burst = tc.loss, tc.small, 4000
				m.flowing(tc.every, 200*time.Millisecond+time.Duration(i)*time.Millisecond)
				m.mtu = tc.to(m.rng)
				at := m.now
				if !m.run(5*time.Second, func() bool { return m.d.PLPMTU() <= m.mtu }) {
					t.Fatalf("run %d: still %d of %d", i, m.d.PLPMTU(), m.mtu)
				}
				took = append(took, m.now.Sub(at))
			}
			slices.Sort(took)
			median, worst := took[len(took)/2], took[len(took)-1]
			t.Logf("at a round trip of 20 ms: median %v, worst %v of %d runs", median, worst, len(took))
			if median > 150*time.Millisecond || worst > 250*time.Millisecond {
				t.Error("want a median up to 150 ms and at worst 250 ms")
			}
		})
	}
}

func TestAValidatedPTBLeavesTheBlackHoleInTwoRoundTrips(t *testing.T) {
	for _, mtu := range []int{1496, 1400, 1280, 1228, 1100, 600} {
		m := complete(t, 1500, 1500)
		m.flowing(time.Millisecond, time.Second)
		m.mtu, m.ptb, m.ptbDelay = mtu, true, time.Microsecond
		at := m.now
		if !m.run(time.Second, func() bool { return m.d.PLPMTU() <= m.mtu }) || m.now.Sub(at) > 2*m.rtt() {
			t.Errorf("to %d: PLPMTU is %d after %v", mtu, m.d.PLPMTU(), m.now.Sub(at))
		}
		passing := m.now.Sub(at)
		if !m.run(time.Second, func() bool { return m.d.PLPMTU() == m.exact() && !m.d.suspects() }) {
			t.Errorf("to %d: ends at %d", mtu, m.d.PLPMTU())
		}
		t.Logf("to %d: passing after %.2f RTT, exact after %.2f RTT", mtu,
			float64(passing)/float64(m.rtt()), float64(m.now.Sub(at))/float64(m.rtt()))
	}
}

func TestForgedPTBs(t *testing.T) {
	t.Run("without validation never move the PLPMTU and cost few probes", func(t *testing.T) {
		m := complete(t, 1500, 1500)
		m.flowing(time.Millisecond, time.Second)
		probes, changes := m.probes, len(m.d.History())
		const seconds, rate = 60, 10_000
		for range seconds * 100 {
			for range rate / 100 {
				m.d.PTB(PTB{MTU: m.rng.IntN(1500), Size: 1500}, m.now)
			}
			m.run(10*time.Millisecond, nil)
		}
		t.Logf("%d forged PTBs in %d s: %d probes", seconds*rate, seconds, m.probes-probes)
		if len(m.d.History()) != changes || m.d.PLPMTU() != 1500 {
			t.Errorf("PLPMTU moved: %v", m.d.History()[changes:])
		}
		if m.probes-probes > 5*7 { // verifications after 1, 2, 4 … s
			t.Errorf("%d probes", m.probes-probes)
		}
	})
	t.Run("with a true quote cost one round trip, and are ignored after some", func(t *testing.T) {
		m := complete(t, 1500, 1500)
		lowered := 0
		for range 100 {
			before := m.now
			m.d.PTB(PTB{MTU: 1300, Size: 1500, Validated: true}, m.now)
			if m.d.PLPMTU() < 1500 {
				lowered++
				if !m.d.suspects() {
					t.Error("a suspicion is not provisional")
				}
			}
			m.run(time.Second, func() bool { return m.d.PLPMTU() == 1500 })
			if m.now.Sub(before) > m.rtt()*5/4 {
				t.Errorf("it took %v", m.now.Sub(before))
			}
			m.run(50*time.Millisecond, nil)
		}
		if lowered != ptbContradicted {
			t.Errorf("%d of 100 lowered the PLPMTU", lowered)
		}
		m.run(ptbIgnored, nil)
		m.d.PTB(PTB{MTU: 1300, Size: 1500, Validated: true}, m.now)
		if m.d.PLPMTU() != m.d.search.grid.base {
			t.Error("PTBs are ignored for ever")
		}
	})
	for _, tc := range []struct {
		name string
		ptb  PTB
	}{
		{"not below the quoted packet", PTB{MTU: 1300, Size: 1300, Validated: true}},
		{"quoting nothing", PTB{MTU: 1300, Validated: true}},
		{"of the PLPMTU", PTB{MTU: 1400, Size: 1500, Validated: true}},
		{"above the PLPMTU", PTB{MTU: 1450, Size: 1500, Validated: true}},
	} {
		t.Run(tc.name+" change nothing", func(t *testing.T) {
			m := complete(t, 1400, 1500)
			before := m.probes
			m.d.PTB(tc.ptb, m.now)
			m.run(4*time.Second, nil)
			if m.d.PLPMTU() != 1400 || m.d.State() != SearchComplete || m.probes != before {
				t.Errorf("PLPMTU %d, %v, %d probes", m.d.PLPMTU(), m.d.State(), m.probes-before)
			}
		})
	}
}

func TestAPTBOfAProbeIsTheNextSearchPoint(t *testing.T) {
	m := newPath(1404)
	m.ptb, m.ptbDelay = true, time.Microsecond
	m.begin(1500)
	at := m.now
	m.run(time.Second, func() bool { return m.d.State() == SearchComplete })
	if m.d.PLPMTU() != 1404 || m.now.Sub(at) > 2*m.rtt()+time.Millisecond {
		t.Errorf("PLPMTU %d, proved after %v", m.d.PLPMTU(), m.now.Sub(at))
	}
}

func TestAnHourOfCongestionIsNoBlackHole(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	for _, tc := range []struct {
		name   string
		loss   float64
		bursts bool
	}{
		{"at one percent", 0.01, false},
		{"at five percent", 0.05, false},
		{"at ten percent", 0.10, false},
		{"in bursts", 0.02, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			length := 5 * time.Minute
			if tier.Full() {
				length = time.Hour
			}
			m := complete(t, 1500, 1500)
			m.loss = tc.loss
			m.burst = 20
			m.data, m.nextData = time.Millisecond, m.now
			end := m.now.Add(length)
			alarms, worst, low := 0, time.Duration(0), time.Duration(0)
			within3 := 0
			next := m.now
			for m.now.Before(end) {
				if tc.bursts && m.now.After(next) { // all is lost for some ms, now and then
					m.down = !m.down
					d := time.Duration(200+m.rng.IntN(2000)) * time.Millisecond
					if m.down {
						d = time.Duration(1+m.rng.IntN(15)) * time.Millisecond
					}
					next = m.now.Add(d)
				}
				m.run(5*time.Millisecond, func() bool { return m.d.PLPMTU() < 1500 })
				if m.d.PLPMTU() == 1500 {
					continue
				}
				alarms++
				at := m.now
				m.down = false
				if !m.run(10*time.Second, func() bool { return m.d.PLPMTU() == 1500 }) {
					t.Fatalf("PLPMTU stays at %d", m.d.PLPMTU())
				}
				took := m.now.Sub(at)
				low += took
				worst = max(worst, took)
				if took <= 3*m.rtt() {
					within3++
				}
			}
			t.Logf("%d false alarms in %v, %d healed within 3 RTT, worst %v, in all %v below", alarms, length, within3, worst, low)
			if alarms > int(length/time.Minute) {
				t.Errorf("%d false alarms", alarms)
			}
			if within3 < alarms*9/10 {
				t.Errorf("only %d of %d healed within 3 RTT", within3, alarms)
			}
		})
	}
}

func TestAnOutageIsNotAboutSize(t *testing.T) {
	for _, outage := range []time.Duration{100 * time.Millisecond, leastOutage, 3 * leastOutage, 20 * time.Second} {
		m := complete(t, 1500, 1500)
		m.flowing(time.Millisecond, time.Second)
		before, changes := m.probes, len(m.d.History())
		m.down = true
		if m.run(outage, func() bool { return m.d.PLPMTU() != 1500 }) {
			t.Errorf("in an outage of %v: PLPMTU is %d", outage, m.d.PLPMTU())
		}
		if outage > leastOutage && m.d.State() != Unreachable {
			t.Errorf("in an outage of %v: %v", outage, m.d.State())
		}
		probes := m.probes - before
		m.down = false
		at := m.now
		if !m.run(20*time.Second, func() bool { return m.d.PLPMTU() == 1500 && m.d.Settled() }) {
			t.Fatalf("after %v: PLPMTU is %d in %v", outage, m.d.PLPMTU(), m.d.State())
		}
		t.Logf("after an outage of %v: back after %v, %d probes during it", outage, m.now.Sub(at), probes)
		events := m.d.History()[changes:]
		if outage <= leastOutage {
			if len(events) > 0 {
				t.Errorf("after %v: %+v", outage, events)
			}
		} else if len(events) != 1 || events[0].From != 1500 || events[0].To != 1500 || events[0].Cause != CauseOutage {
			t.Errorf("after %v: %+v", outage, events)
		}
		if m.d.State() != SearchComplete || m.falseAlarms() != 0 {
			t.Errorf("after %v: %v, %d false alarms", outage, m.d.State(), m.falseAlarms())
		}
	}
}

func TestAnOutageMayEndOnASmallerPath(t *testing.T) {
	for _, mtu := range []int{1496, 1400, 1228, 1000} {
		m := complete(t, 1500, 1500)
		m.flowing(time.Millisecond, time.Second)
		m.down = true
		m.run(time.Second, nil)
		m.down, m.mtu = false, mtu
		var heard time.Time
		done := m.run(5*time.Second, func() bool {
			if heard.IsZero() && m.d.round.silent == 0 {
				heard = m.now
			}
			return m.d.PLPMTU() == m.exact() && !heard.IsZero()
		})
		if !done || m.now.Sub(heard) > 5*m.rtt() {
			t.Errorf("to %d: PLPMTU is %d in %v, %v after the first answer", mtu, m.d.PLPMTU(), m.d.State(), m.now.Sub(heard))
		}
	}
}

// TestAnOutageBehindTheSmallestInterface: BASE_PLPMTU has become a size that has
// passed, and fails when the path is down. That hides none of the larger ones from
// the search that follows.
func TestAnOutageBehindTheSmallestInterface(t *testing.T) {
	m := newPath(586)
	m.begin(1500)
	m.run(m.rtt()+time.Millisecond, nil)
	m.down = true
	m.d.EgressMTU(576, m.now)
	if !m.run(time.Minute, func() bool { return m.d.State() == Unreachable }) {
		t.Fatalf("%v, %d has passed", m.d.State(), m.d.search.lo)
	}
	m.d.EgressMTU(576, m.now) // told again
	m.down, m.mtu = false, 1204
	m.d.EgressMTU(1500, m.now)
	before := m.probes
	if !m.run(time.Minute, func() bool { return m.d.PLPMTU() == m.exact() && m.d.Settled() }) {
		t.Errorf("PLPMTU is %d in %v after %d probes", m.d.PLPMTU(), m.d.State(), m.probes-before)
	}
}

func TestRaiseTimes(t *testing.T) {
	m := complete(t, 1400, 1500)
	m.flowing(time.Millisecond, 100*time.Millisecond)
	m.mtu = 1300
	m.run(time.Second, func() bool { return m.d.State() == Base })
	m.data = 0
	m.run(time.Second, func() bool { return m.d.State() == SearchComplete && m.d.PLPMTU() == 1300 })
	var waits []float64
	for range 9 {
		at := m.now
		m.run(time.Hour, func() bool { return m.d.State() == Searching })
		waits = append(waits, m.now.Sub(at).Seconds())
		m.run(time.Second, func() bool { return m.d.State() == SearchComplete })
		if m.d.PLPMTU() != 1300 {
			t.Fatalf("PLPMTU is %d", m.d.PLPMTU())
		}
	}
	if want := []float64{5, 10, 20, 40, 80, 160, 320, 600, 600}; !slices.Equal(waits, want) {
		t.Errorf("raises after %v s, want %v", waits, want)
	}
	m.mtu = 1496
	m.run(601*time.Second, func() bool { return m.d.PLPMTU() == 1496 })
	if m.d.PLPMTU() != 1496 {
		t.Errorf("not raised: %d", m.d.PLPMTU())
	}
}

func TestOurOwnKernelIsBelieved(t *testing.T) {
	t.Run("EMSGSIZE lowers the PLPMTU in use", func(t *testing.T) {
		m := complete(t, 1500, 1500)
		m.d.LocalTooBig(1500, m.now)
		if m.d.PLPMTU() != 1496 || m.d.State() != SearchComplete {
			t.Errorf("PLPMTU %d in %v", m.d.PLPMTU(), m.d.State())
		}
		m.d.LocalTooBig(1401, m.now)
		m.d.LocalTooBig(1450, m.now)
		if m.d.PLPMTU() != 1400 {
			t.Errorf("PLPMTU %d", m.d.PLPMTU())
		}
		m.run(6*time.Second, func() bool { return m.d.PLPMTU() == 1500 })
		if m.d.PLPMTU() != 1500 {
			t.Errorf("the bound outlives the raise timer: %d", m.d.PLPMTU())
		}
	})
	t.Run("a refused probe lowers the bound of the search", func(t *testing.T) {
		m := newPath(1500)
		m.begin(1500)
		for _, a := range m.d.Poll(nil, m.now) {
			if a.Size > 1400 {
				m.d.ProbeFailed(a.ID, true, m.now)
			}
		}
		if m.d.search.grid.max > 1440 || m.d.search.grid.max < 1228 {
			t.Errorf("bound is %d", m.d.search.grid.max)
		}
	})
	t.Run("a probe that was not sent counts for nothing", func(t *testing.T) {
		m := newPath(1500)
		m.begin(1500)
		for _, a := range m.d.Poll(nil, m.now) {
			m.d.ProbeFailed(a.ID, false, m.now)
		}
		m.run(2*time.Second, nil)
		if m.d.PLPMTU() != 1500 {
			t.Errorf("PLPMTU is %d in %v", m.d.PLPMTU(), m.d.State())
		}
	})
	t.Run("the egress MTU moves it both ways", func(t *testing.T) {
		m := complete(t, 9000, 1500)
		m.d.EgressMTU(1300, m.now)
		if m.d.PLPMTU() != 1300 {
			t.Errorf("PLPMTU is %d", m.d.PLPMTU())
		}
		m.d.EgressMTU(9000, m.now)
		at := m.now
		m.run(time.Second, func() bool { return m.d.PLPMTU() == 9000 })
		if m.d.PLPMTU() != 9000 || m.now.Sub(at) > 5*m.rtt() {
			t.Errorf("PLPMTU is %d after %v", m.d.PLPMTU(), m.now.Sub(at))
		}
		m.d.EgressMTU(100, m.now)
		if m.d.PLPMTU() != 576 {
			t.Errorf("PLPMTU is %d below MIN_PLPMTU", m.d.PLPMTU())
		}
	})
}

func TestAProbeInFragmentsDoesNotCount(t *testing.T) {
	m := newPath(1400)
	m.clearsDF = true
	m.begin(1500)
	m.run(time.Second, func() bool { return m.d.State() == SearchComplete })
	if m.d.PLPMTU() != 1400 || !m.d.ClearsDF() {
		t.Errorf("PLPMTU %d, clears DF: %v", m.d.PLPMTU(), m.d.ClearsDF())
	}
	m.begin(1500)
	if m.d.ClearsDF() {
		t.Error("a new path is blamed")
	}
}

func TestALateAnswerOfAnEarlierPathIsHarmless(t *testing.T) {
	m := newPath(1500)
	m.begin(1500)
	old := m.d.Poll(nil, m.now)
	m.begin(1500)
	for _, a := range old {
		m.d.Ack(a.ID, false, m.now)
	}
	if m.d.PLPMTU() != m.d.search.grid.base || m.d.State() != Base {
		t.Errorf("PLPMTU %d in %v", m.d.PLPMTU(), m.d.State())
	}
	for _, a := range m.d.Poll(nil, m.now) {
		m.d.Ack(a.ID, false, m.now)
		m.d.Ack(a.ID, false, m.now) // twice
	}
	if m.d.PLPMTU() != 1500 {
		t.Errorf("PLPMTU %d", m.d.PLPMTU())
	}
}

func TestARekeyDoesNotConfuse(t *testing.T) {
	m := complete(t, 1500, 1500)
	m.data, m.nextData = time.Millisecond, m.now
	for range 100 {
		m.run(time.Duration(1+m.rng.IntN(100))*time.Millisecond, nil)
		m.newSA()
	}
	if m.d.PLPMTU() != 1500 || m.d.State() != SearchComplete {
		t.Errorf("PLPMTU %d in %v", m.d.PLPMTU(), m.d.State())
	}
	m.mtu = 1400
	if !m.run(250*time.Millisecond, func() bool { return m.d.PLPMTU() <= 1400 }) {
		t.Error("no black hole found after rekeys")
	}
}

func TestSequentialModeIsThatOfTheRFC(t *testing.T) {
	for _, mtu := range []int{1500, 1400, 1280, 1232, 1000} {
		m := newPath(mtu)
		m.d = New(Config{Mode: Sequential})
		m.d.NewSA(m.log)
		m.begin(1500)
		var last time.Time
		count := 0
		m.trace = nil
		for range 400 {
			sent := m.probes
			if !m.run(time.Hour, func() bool { return m.probes > sent || m.d.State() == SearchComplete || m.d.settled }) {
				break
			}
			if m.probes > sent {
				if m.probes != sent+1 {
					t.Fatalf("%d probes at once", m.probes-sent)
				}
				if !last.IsZero() && m.now.Sub(last) < m.rtt() {
					t.Fatalf("two probes within %v", m.now.Sub(last))
				}
				last = m.now
				count++
			} else {
				break
			}
		}
		if m.d.PLPMTU() != m.exact() {
			t.Errorf("MTU %d: PLPMTU %d in %v", mtu, m.d.PLPMTU(), m.d.State())
		}
		t.Logf("MTU %d: %d probes, %v", mtu, count, m.now.Sub(epochStart).Round(time.Second))
	}
}

func TestOffUsesTheConfiguredSize(t *testing.T) {
	d := New(Config{Mode: Off, MaxPLPMTU: 1420})
	now := epochStart
	d.NewEndpoint(Endpoint{EgressMTU: 1500}, now)
	if d.PLPMTU() != 1420 || len(d.Poll(nil, now)) > 0 || !d.Deadline().IsZero() || d.State() != Disabled {
		t.Errorf("PLPMTU %d in %v", d.PLPMTU(), d.State())
	}
	d.EgressMTU(1300, now)
	if d.PLPMTU() != 1300 {
		t.Errorf("PLPMTU %d", d.PLPMTU())
	}
}

func TestASilentPeerKeepsTheBaseSize(t *testing.T) {
	m := newPath(1500)
	m.silent = true
	m.begin(1500)
	m.flowing(time.Millisecond, 10*time.Minute)
	if m.d.PLPMTU() != 1228 {
		t.Errorf("PLPMTU %d in %v", m.d.PLPMTU(), m.d.State())
	}
	t.Logf("%d probes and %d requests to a silent peer in 10 min, %v", m.probes, m.requests, m.d.State())
	if m.probes > 600 || m.requests > 100 {
		t.Errorf("%d probes and %d requests to a silent peer", m.probes, m.requests)
	}
	m.silent = false
	m.run(20*time.Second, func() bool { return m.d.PLPMTU() == 1500 })
	if m.d.PLPMTU() != 1500 {
		t.Errorf("not found after it woke: %d", m.d.PLPMTU())
	}
}

func TestAnIdlePathIsLeftAlone(t *testing.T) {
	m := complete(t, 1500, 1500)
	m.run(time.Second, nil)
	probes, requests := m.probes, m.requests
	if at := m.d.Deadline(); !at.IsZero() {
		t.Errorf("a deadline in %v", at.Sub(m.now))
	}
	m.run(time.Hour, nil)
	if m.probes != probes || m.requests != requests {
		t.Errorf("%d probes, %d requests in an idle hour", m.probes-probes, m.requests-requests)
	}
}

func TestTheHistoryIsBounded(t *testing.T) {
	m := complete(t, 9000, 9000)
	for i := range 200 {
		m.d.EgressMTU(1300+4*(i%2), m.now)
		m.run(time.Second, nil)
	}
	h := m.d.History()
	if len(h) != historyEvents || h[len(h)-1].To != m.d.PLPMTU() {
		t.Errorf("%d events, the last %+v", len(h), h[len(h)-1])
	}
	for i := 1; i < len(h); i++ {
		if h[i].From != h[i-1].To || h[i].At.Before(h[i-1].At) {
			t.Errorf("a gap between %+v and %+v", h[i-1], h[i])
		}
	}
}

// TestAFailedVerificationIsASuspicion has a fan that verifies the PLPMTU lost by
// chance: nothing is settled before a fan for the purpose has decided.
func TestAFailedVerificationIsASuspicion(t *testing.T) {
	for _, tc := range []struct {
		name        string
		mtu         int // when the suspicion is decided
		falseAlarms int
	}{
		{"that is taken back", 1500, 1},
		{"that is confirmed", 1400, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := complete(t, 1500, 1500)
			m.run(time.Second, nil)
			m.mtu = 1400
			m.d.PTB(PTB{MTU: 1400}, m.now) // not validated, so it causes a verification
			if !m.run(time.Second, m.d.suspects) {
				t.Fatalf("the verification has not failed: %s %v %d %v", m.trouble, m.d.State(), m.d.PLPMTU(), m.d.History())
			}
			if m.d.Settled() || m.d.PLPMTU() != m.d.search.grid.min {
				t.Errorf("settled %v at %d", m.d.Settled(), m.d.PLPMTU())
			}
			m.mtu = tc.mtu
			if !m.run(time.Second, m.d.Settled) || m.d.PLPMTU() != tc.mtu {
				t.Fatalf("PLPMTU %d, settled %v", m.d.PLPMTU(), m.d.Settled())
			}
			history := m.d.History()
			if last := history[len(history)-1]; last.Cause != CauseProbe || last.To != tc.mtu || m.falseAlarms() != tc.falseAlarms {
				t.Errorf("the last event is %+v, %d false alarms", last, m.falseAlarms())
			}
		})
	}
}

// TestContradictedPTBsAreForgotten: only several in a row, and not long apart,
// make PTBs count for nothing (RFC 8899 section 8).
func TestContradictedPTBsAreForgotten(t *testing.T) {
	m := complete(t, 1500, 1500)
	lie := func() {
		t.Helper()
		m.d.PTB(PTB{MTU: 1400, Size: 1500, Validated: true}, m.now)
		if !m.d.suspects() {
			t.Fatal("the PTB counts for nothing")
		}
		if !m.run(time.Second, m.d.Settled) || m.d.PLPMTU() != 1500 {
			t.Fatalf("PLPMTU %d", m.d.PLPMTU())
		}
	}
	for range 3 * ptbContradicted { // each by itself
		lie()
		m.run(2*ptbIgnored, nil)
	}
	for range ptbContradicted - 1 {
		lie()
	}
	m.mtu = 1400
	m.d.PTB(PTB{MTU: 1400, Size: 1500, Validated: true}, m.now) // the truth
	if !m.run(time.Second, m.d.Settled) || m.d.PLPMTU() != 1400 || m.d.ptbs.contradicted != 0 {
		t.Errorf("PLPMTU %d, %d contradicted", m.d.PLPMTU(), m.d.ptbs.contradicted)
	}
	m.mtu = 1500
	m.run(time.Minute, func() bool { return m.d.PLPMTU() == 1500 && m.d.Settled() })
	for range ptbContradicted {
		lie()
	}
	m.d.PTB(PTB{MTU: 1400, Size: 1500, Validated: true}, m.now)
	if m.d.suspects() {
		t.Error("one more in a row still counts")
	}
}
