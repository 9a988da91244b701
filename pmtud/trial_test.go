package pmtud

import (
	"testing"
	"time"
)

// onTrial returns a path of 1500 bytes whose search has ended, and that has no traffic.
func onTrial(t *testing.T) *model {
	t.Helper()
	m := newPath(1500)
	m.begin(1500)
	if !m.run(10*time.Second, func() bool { return m.d.PLPMTU() == 1500 && m.d.resting() }) {
		t.Fatalf("PLPMTU %d", m.d.PLPMTU())
	}
	return m
}

// fared lets reports have told how packets of the PLPMTU fared, none of them in a queue.
// likely is how likely it is their size.
func (d *Discovery) fared(sent, lost, goodput, likely float64) {
	v := &d.detector.sizes
	v.large.sent, v.large.events, v.large.calm, v.large.losses = sent, lost, lost, lost
	v.payload, v.time, v.score = goodput, 1, likely
}

// TestTheLinesOfATrial: each line of the picture in trial.go, and what belongs to it.
func TestTheLinesOfATrial(t *testing.T) {
	const much, little, strongly = 1e6, 1e5, 2 * strong
	trying := func(d *Discovery, now time.Time) { // 1228 bytes, since half of 1500 is lost
		d.fared(200, 100, little, strongly)
		d.trySmaller(now)
	}
	found := func(d *Discovery, now time.Time) { // that 1228 bytes are better
		trying(d, now)
		d.settle(now)
	}
	rising := func(d *Discovery, now time.Time) { // to between 1228 and 1500
		found(d, now)
		d.fared(1000, 0, much, 0)
		d.tryLarger(now)
	}
	told := func(d *Discovery, now time.Time) { // by a router, of 1400
		d.trial.told, d.trial.toldUntil = 1400, now.Add(time.Minute)
	}
	for _, tc := range []struct {
		name string
		from func(d *Discovery, now time.Time)
		// What the reports tell: packets sent and lost, goodput, how likely it is the size.
		sent, lost, goodput, likely float64
		after                       time.Duration
		to                          phase
		plpmtu                      int
		false                       uint64 // alarms
	}{
		{name: "nothing is lost", sent: 1000, goodput: much, to: idle, plpmtu: 1500},
		{name: "the first sign begins a record", sent: 200, lost: 100, likely: strongly, to: idle, plpmtu: 1500},
		{name: "loss by size", from: func(d *Discovery, _ time.Time) { d.detector.sizes.recorded = true },
			sent: 200, lost: 100, likely: strongly, to: smaller, plpmtu: 1228},
		{name: "loss by size, of which a router has told", from: func(d *Discovery, now time.Time) { told(d, now); d.detector.sizes.recorded = true },
			sent: 200, lost: 100, likely: strongly, to: smaller, plpmtu: 1400},
		{name: "loss by size, after a trial has found nothing", from: func(d *Discovery, now time.Time) {
			d.trial.next, d.detector.sizes.recorded = now.Add(time.Minute), true
		}, sent: 200, lost: 100, likely: strongly, to: idle, plpmtu: 1500},

		{name: "smaller: better, of much lost", from: trying, sent: 1000, goodput: much, after: time.Second, to: control, plpmtu: 1500},
		{name: "smaller: better, of little lost", from: func(d *Discovery, now time.Time) {
			d.fared(1600, 16, little, strongly)
			d.trySmaller(now)
		}, sent: 3000, goodput: much, after: time.Second, to: settled, plpmtu: 1228},
		{name: "smaller: better, as a router has told", from: func(d *Discovery, now time.Time) { told(d, now); trying(d, now) },
			sent: 1000, goodput: much, after: time.Second, to: settled, plpmtu: 1400},
		{name: "smaller: no better", from: trying, sent: 200, lost: 100, goodput: little, after: time.Second, to: idle, plpmtu: 1500, false: 1},
		{name: "smaller: nothing is told in time", from: trying, after: trialLimit, to: idle, plpmtu: 1500, false: 1},
		{name: "smaller: it loses for its size, too", from: func(d *Discovery, now time.Time) { told(d, now); trying(d, now) },
			sent: 200, lost: 100, goodput: little, likely: strongly, after: time.Second, to: smaller, plpmtu: 1228},
		{name: "smaller: a black hole comes first", from: func(d *Discovery, now time.Time) { trying(d, now); d.plpmtu = 1000 },
			sent: 1000, goodput: much, to: idle, plpmtu: 1000},

		{name: "control: it loses again", from: func(d *Discovery, now time.Time) { trying(d, now); d.tryAgain(now) },
			sent: 20, lost: 10, goodput: little, after: time.Second, to: settled, plpmtu: 1228},
		{name: "control: it passes", from: func(d *Discovery, now time.Time) { trying(d, now); d.tryAgain(now) },
			sent: 1000, goodput: much, after: time.Second, to: idle, plpmtu: 1500, false: 1},
		{name: "control: probes have lost it meanwhile", from: func(d *Discovery, now time.Time) {
			trying(d, now)
			d.search.lo = 1228
			d.tryAgain(now)
		}, to: settled, plpmtu: 1228},

		{name: "settled: not yet", from: found, sent: 1000, goodput: much, after: firstTrialWait - time.Second, to: settled, plpmtu: 1228},
		{name: "settled: later", from: found, sent: 1000, goodput: much, after: firstTrialWait, to: larger, plpmtu: 1400},
		{name: "settled: it loses much itself", from: func(d *Discovery, now time.Time) { told(d, now); found(d, now); d.detector.sizes.recorded = true },
			sent: 200, lost: 100, likely: strongly, after: time.Second, to: smaller, plpmtu: 1228},

		{name: "larger: better", from: rising, sent: 3000, goodput: much, after: time.Second, to: settled, plpmtu: 1400},
		{name: "larger: it loses as before", from: rising, sent: 200, lost: 100, goodput: little, after: time.Second, to: settled, plpmtu: 1228},
		{name: "larger: less arrives", from: rising, sent: 200, goodput: little, after: largerTime, to: settled, plpmtu: 1228},
		{name: "larger: the size that lost passes again", from: func(d *Discovery, now time.Time) {
			found(d, now)
			d.fared(1000, 0, much, 0)
			d.trial.good = 1484
			d.tryLarger(now)
		}, sent: 3000, goodput: much, after: time.Second, to: idle, plpmtu: 1500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := onTrial(t)
			d := m.d
			if tc.from != nil {
				tc.from(d, m.now)
			}
			d.fared(tc.sent, tc.lost, tc.goodput, tc.likely)
			before := d.cfg.Counts.FalseAlarms
			d.tryOut(m.now.Add(tc.after))
			if d.trial.phase != tc.to || d.PLPMTU() != tc.plpmtu {
				t.Errorf("phase %d with PLPMTU %d, want %d with %d", d.trial.phase, d.PLPMTU(), tc.to, tc.plpmtu)
			}
			if alarms := d.cfg.Counts.FalseAlarms - before; alarms != tc.false {
				t.Errorf("%d false alarms, want %d", alarms, tc.false)
			}
		})
	}
}

// TestATrialThatStandsOnAnother: a size that has settled is left for a smaller one, and comes
// back before the larger sizes do.
func TestATrialThatStandsOnAnother(t *testing.T) {
	m := onTrial(t)
	d := m.d
	d.trial = trial{phase: settled, size: 1400, good: 1400, bad: 1404, record: record{size: 1500, large: class{sent: 200, events: 100, losses: 100}}}
	d.use(1400)
	d.fared(200, 100, 1e5, 2*strong)
	d.trySmaller(m.now)
	d.settle(m.now)
	if d.trial.phase != settled || d.PLPMTU() != 1228 || d.trial.tried() != 1500 {
		t.Fatalf("phase %d, PLPMTU %d below %d", d.trial.phase, d.PLPMTU(), d.trial.tried())
	}
	d.trial.phase, d.trial.size = larger, 1400
	d.settle(m.now)
	if d.trial.phase != settled || d.trial.good != 1400 || d.trial.record.size != 1500 {
		t.Errorf("phase %d of %d below %d, want %d of 1400 below 1500", d.trial.phase, d.trial.good, d.trial.record.size, settled)
	}
}

// TestTrialsThatFindNothingGrowRare: each wait is four times as long, up to an hour.
func TestTrialsThatFindNothingGrowRare(t *testing.T) {
	m := onTrial(t)
	for _, want := range []time.Duration{time.Minute, 4 * time.Minute, 16 * time.Minute, time.Hour, time.Hour} {
		m.d.fared(200, 100, 1e5, 2*strong)
		m.d.trySmaller(m.now)
		m.d.dismiss(true, m.now)
		if wait := m.d.trial.next.Sub(m.now); wait != want {
			t.Errorf("the next trial waits for %v, want %v", wait, want)
		}
		if m.d.trial.excuse(m.now) != 0.5 || m.d.trial.excuse(m.now.Add(maxTrialWait)) != 0 {
			t.Errorf("a share of %v is excused", m.d.trial.excuse(m.now))
		}
	}
}
