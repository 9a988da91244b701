package pmtud

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"fathom/test/tier"
)

// load puts changing load on a path: transfers, floods of several times what the
// bottleneck takes, and little data, for some seconds each. So the queue is full at one
// time and empty at the next, whatever the PLPMTU is.
func (m *model) load() {
	some := func(most time.Duration) time.Duration { return time.Duration(m.rng.Int64N(int64(most))) }
	for range 1 + m.rng.IntN(3) {
		c := m.transfer()
		m.run(some(2*time.Second), nil)
		c.ended = m.rng.IntN(2) == 0
		m.data, m.nextData = 50*time.Microsecond*time.Duration(1+m.rng.IntN(10)), m.now
		m.small = 0.05 * float64(m.rng.IntN(2))
		m.run(some(2*time.Second), nil)
		m.data = time.Duration(1+m.rng.IntN(20)) * time.Millisecond
		m.run(some(5*time.Second), nil)
		m.data, c.ended = 0, true
	}
}

// TestLoadThatChanges fills queues by turns, that of a router or, of whole
// superpackets, the own interface's. No size settles, and the PLPMTU is exact soon
// after the last data.
func TestLoadThatChanges(t *testing.T) {
	tier.Select(t, tier.Long, tier.Native)
	paths := 40
	if tier.Full() {
		paths = 300
	}
	for _, tc := range []struct {
		limit int
		whole bool // the own interface's queue, which has room for a superpacket
	}{{10_000, false}, {30_000, false}, {100_000, false}, {100_000, true}} {
		name := fmt.Sprintf("a queue of %d kB, whole trains %v", tc.limit/1000, tc.whole)
		t.Run(name, func(t *testing.T) {
			verdicts, low, alarms := 0, 0, 0
			var worst time.Duration
			for i := range paths {
				m := newModel(Config{}, rand.New(rand.NewPCG(uint64(i), uint64(tc.limit))))
				m.mtu, m.delay = 1500, time.Duration(100+m.rng.IntN(10_000))*time.Microsecond
				m.odd.rate, m.odd.limit, m.odd.whole = 20e6, tc.limit, tc.whole
				m.begin(1500)
				m.run(2*time.Second, nil)
				m.load()
				if m.d.PLPMTU() < 1500 {
					low++
				}
				rests := m.now
				if !m.run(time.Minute, func() bool { return m.d.PLPMTU() == 1500 && m.d.Settled() }) {
					t.Errorf("path %d: PLPMTU %d after a minute of rest", i, m.d.PLPMTU())
				}
				worst = max(worst, m.now.Sub(rests))
				alarms += m.falseAlarms()
				for _, e := range m.d.History() {
					if e.Cause == CauseLoss {
						verdicts++
					}
				}
				if m.trouble != "" {
					t.Error(m.trouble)
				}
			}
			tier.Figure(t, "%s: %d paths, %d verdicts of size, %d false alarms; %d below 1500 at the end of the load, the last for %v",
				name, paths, verdicts, alarms, low, worst.Round(time.Millisecond))
			if verdicts > paths/100 {
				t.Errorf("%d verdicts of size", verdicts)
			}
		})
	}
}

// settledOnBundle returns a bundle of links of 1500 and 1400 on which a smaller size has
// settled, and whose data has ended. One packet in share goes by the smaller link.
func settledOnBundle(t testing.TB, share int) (m *model, c *cubic) {
	t.Helper()
	m = oddPath(t, 0, func(m *model) { m.odd.other, m.odd.otherShare = 1400, share })
	c = m.transfer()
	if !m.run(20*time.Second, func() bool { return m.d.trial.phase == settled }) {
		t.Fatalf("one in %d: nothing settles; PLPMTU %d", share, m.d.PLPMTU())
	}
	c.ended = true
	return m, c
}

// TestAnIdleBundle: rechecks do not raise the PLPMTU where the size is lost by a share,
// and cost little. Once the loss is gone, they raise it without any data.
func TestAnIdleBundle(t *testing.T) {
	for _, share := range []int{2, 4} {
		m, _ := settledOnBundle(t, share)
		before, changes := m.probeBytes, m.changes
		m.run(24*time.Hour, nil)
		day := m.probeBytes - before
		t.Logf("one in %d is lost: %d bytes of probes and %d changes in an idle day", share, day, m.changes-changes)
		if m.d.PLPMTU() > 1400 || m.changes != changes {
			t.Errorf("one in %d: PLPMTU %d, %d changes in an idle day", share, m.d.PLPMTU(), m.changes-changes)
		}
		if day > 700_000 {
			t.Errorf("one in %d: %d bytes of probes in an idle day", share, day)
		}
		m.odd.otherShare = 0
		if !m.run(maxRecheck+maxRecheckTime, func() bool { return m.d.PLPMTU() == 1500 && m.d.Settled() }) {
			t.Errorf("one in %d: PLPMTU %d though all passes", share, m.d.PLPMTU())
		}
	}
}

// TestAControlOfAConnectionThatBacksOff: probes tell soon whether a size is lost as before
// when it is used again, though a connection sends a packet of it in many seconds.
func TestAControlOfAConnectionThatBacksOff(t *testing.T) {
	for _, lost := range []bool{true, false} {
		verdicts := 0
		for seed := range uint64(40) {
			m := narrowBundle(Config{}, seed, 20*time.Millisecond, func(*model) {})
			c := m.transfer()
			if !m.run(20*time.Second, func() bool { return m.d.trial.phase == control }) {
				continue
			}
			if at := m.d.recheckAt(); !at.IsZero() && at.Sub(m.d.rests()) >= dataRest {
				t.Errorf("path %d: a recheck would begin after %v", seed, at.Sub(m.d.rests()))
			}
			c.ended = true
			limit := dataRest
			if lost {
				m.data, m.nextData, m.small = 4*time.Second, m.now.Add(100*time.Millisecond), 0
			} else { // and nothing more is sent
				m.odd.ownShare, limit = 0, maxRecheckTime
			}
			if !m.run(limit, func() bool { return m.d.trial.phase != control }) {
				t.Errorf("path %d, lost as before: %v: no verdict after %v", seed, lost, limit)
			}
			switch is := m.d.PLPMTU(); {
			case m.d.trial.phase == settled && lost, m.d.trial.phase == idle && !lost && is == 1500:
				verdicts++
			case m.d.trial.phase != idle || is == 1500:
				t.Errorf("path %d, lost as before: %v: phase %d, PLPMTU %d", seed, lost, m.d.trial.phase, is)
			} // else a verification of what was lost before came first, and lost the size
		}
		if verdicts < 10 {
			t.Errorf("lost as before: %v: %d verdicts", lost, verdicts)
		}
	}
}

// TestARecheckEnds: loss that hits all sizes leaves rechecks undecided, and they cost
// little all the same.
func TestARecheckEnds(t *testing.T) {
	for _, loss := range []float64{0.07, 0.15, 0.3} {
		m, _ := settledOnBundle(t, 2)
		m.odd.otherShare, m.loss = 0, loss
		before := m.probeBytes
		m.run(24*time.Hour, nil)
		// Ten rechecks until they are an hour apart, then one an hour, and what the
		// confirmations of an idle path that is lossy cost.
		t.Logf("loss of %v: %d bytes of probes in an idle day", loss, m.probeBytes-before)
		if most := (10 + 24) * (recheckMost + recheckCopies) * 1500 * 2; m.probeBytes-before > most {
			t.Errorf("loss of %v: %d bytes of probes in an idle day, want at most %d", loss, m.probeBytes-before, most)
		}
	}
}

// TestTheLossGoesAwayAtOnce: what is gone when the data ends is known soon.
func TestTheLossGoesAwayAtOnce(t *testing.T) {
	for _, rate := range []float64{8e6, 5e5} { // the slower takes a fan apart, for several round trips
		m, _ := settledOnBundle(t, 2)
		m.run(time.Second, nil) // the queue is empty
		m.odd.otherShare, m.odd.rate = 0, rate
		began, probes := m.now, m.probeBytes
		if !m.run(time.Minute, func() bool { return m.d.PLPMTU() == 1500 && m.d.Settled() }) {
			t.Fatalf("%.1f Mbit/s: PLPMTU %d after a minute", rate/1e6, m.d.PLPMTU())
		}
		t.Logf("%.1f Mbit/s: exact %v after the last data, with %d bytes of probes", rate/1e6, m.now.Sub(began), m.probeBytes-probes)
		if m.probeBytes-probes > (recheckPassed+recheckCopies)*1500+20_000 {
			t.Errorf("%.1f Mbit/s: %d bytes of probes", rate/1e6, m.probeBytes-probes)
		}
	}
}

// TestABundleWithPauses: data comes and goes on a bundle, so that rechecks and data take
// turns. The PLPMTU does not.
func TestABundleWithPauses(t *testing.T) {
	tier.Select(t, tier.Native)
	for _, share := range []int{2, 8, 30} {
		for _, pause := range []time.Duration{7 * time.Second, 30 * time.Second, 2 * time.Minute} {
			m := oddPath(t, 0, func(m *model) { m.odd.other, m.odd.otherShare = 1400, share })
			const minutes = 10
			most := 0
			for began := m.now; m.now.Sub(began) < minutes*time.Minute; {
				from, before := m.now, m.changes
				for m.now.Sub(from) < time.Minute {
					c := m.transfer()
					m.run(5*time.Second, nil)
					c.ended = true
					m.run(pause, nil)
				}
				if m.now.Sub(epochStart) > 2*time.Minute { // it has settled
					most = max(most, m.changes-before)
				}
			}
			t.Logf("one in %d is lost, pauses of %v: %d changes in %d minutes, at most %d in one or in a pause; PLPMTU %d at last",
				share, pause, m.changes, minutes, most, m.d.PLPMTU())
			if most > 4 || m.changes > 3*minutes {
				t.Errorf("one in %d, pauses of %v: %d changes, at most %d", share, pause, m.changes, most)
			}
			if m.trouble != "" {
				t.Error(m.trouble)
			}
		}
	}
}

func TestAControl(t *testing.T) {
	of := func(sent, events, losses, calm float64) record {
		return record{size: 1500, large: class{sent: sent, events: events, losses: losses, calm: calm}}
	}
	for _, tc := range []struct {
		name    string
		was, is record
		want    verdict
	}{
		{"nothing yet", of(30, 5, 15, 5), of(0, 0, 0, 0), undecided},
		{"one loss", of(30, 5, 15, 5), of(4, 1, 2, 1), undecided},
		{"as much is lost, without a queue", of(30, 5, 15, 5), of(20, 3, 10, 3), better},
		{"as much is lost, in a queue", of(30, 5, 15, 5), of(20, 3, 10, 0), undecided},
		{"as much is lost, in a queue, for long", of(30, 5, 15, 5), of(100, 16, 50, 0), better},
		{"little is lost", of(30, 5, 15, 5), of(300, 3, 3, 3), noBetter},
		{"nothing is lost", of(30, 5, 15, 5), of(100, 0, 0, 0), noBetter},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := judgeControl(tc.was, tc.is); got != tc.want {
				t.Errorf("verdict %d, want %d", got, tc.want)
			}
		})
	}
}

// TestATrainThatIsLostWhole is one loss, however long it is; a class of which nothing
// arrives for several round trips is lost for its size.
func TestATrainThatIsLostWhole(t *testing.T) {
	const srtt = 30 * time.Millisecond
	for _, tc := range []struct {
		name    string
		arrives func(report int) bool // all large packets of it, or none
		want    bool
	}{
		{"each fourth is lost", func(i int) bool { return i%4 > 0 }, false},
		{"each second is lost", func(i int) bool { return i%2 > 0 }, false},
		{"none arrives", func(int) bool { return false }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var d deliveries
			d.begin(1500, 0)
			got := false
			for i := range 40 {
				for range 44 {
					d.count(1500, false, tc.arrives(i))
				}
				d.count(100, true, true)
				at := epochStart.Add(time.Duration(i) * srtt)
				d.report(at, srtt, srtt)
				got = got || d.suspicious(3, srtt, false, 0)
			}
			if got != tc.want {
				t.Errorf("suspicious: %v", got)
			}
		})
	}
}

// TestACrowdThatGoes: others fill a queue until a trial of a smaller size begins. That size
// loses nothing, and neither does the larger one by then, as the control shows.
func TestACrowdThatGoes(t *testing.T) {
	tier.Select(t, tier.Native)
	for i := range uint64(10) {
		m := newModel(Config{}, rand.New(rand.NewPCG(i, 20)))
		m.mtu, m.delay = 1500, time.Duration(1+m.rng.IntN(30))*time.Millisecond
		m.begin(1500)
		m.run(2*time.Second, nil)
		m.odd.crowded = 2400
		m.data, m.nextData, m.small = 2*time.Millisecond, m.now, 0.03
		if !m.run(time.Minute, func() bool { return m.d.trial.phase == smaller }) {
			t.Fatalf("path %d: no trial; PLPMTU %d", i, m.d.PLPMTU())
		}
		m.odd.crowded = 0
		if m.run(time.Minute, func() bool { return m.d.trial.phase == settled || m.d.trial.phase == idle }); m.d.trial.phase != idle {
			t.Errorf("path %d: no control has ended the trial; PLPMTU %d", i, m.d.PLPMTU())
		}
		if h := m.d.History(); m.d.PLPMTU() != 1500 || m.trouble != "" || h[len(h)-1].At.After(epochStart.Add(time.Second)) {
			t.Errorf("path %d: PLPMTU %d %s, history %v", i, m.d.PLPMTU(), m.trouble, h)
		}
	}
}
