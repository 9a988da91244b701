package pmtud

import (
	"testing"
	"time"
)

func TestWhatARecheckTells(t *testing.T) {
	for _, tc := range []struct {
		name                   string
		passed, lost           int
		smallPassed, smallLost int
		want                   recheckVerdict
	}{
		{name: "nothing yet", want: goesOn},
		{name: "not enough have passed", passed: recheckPassed - 1, smallPassed: 6, want: goesOn},
		{name: "enough have passed", passed: recheckPassed, smallPassed: 6, want: passesWhole},
		{name: "one is lost, and more must pass", passed: recheckPassed, lost: 1, smallPassed: 6, want: goesOn},
		{name: "one is lost, and more have passed", passed: recheckPassed + recheckPerLoss, lost: 1, smallPassed: 9, want: passesWhole},
		{name: "one is lost by chance", lost: 1, smallPassed: 1, want: goesOn},
		{name: "two are lost, and no small one", passed: 2, lost: 2, smallPassed: 1, want: lostByShare},
		{name: "all are lost, and all small ones", lost: 8, smallLost: 2, want: goesOn},
		{name: "as many are lost as of the small ones", passed: 40, lost: 40, smallPassed: 10, smallLost: 10, want: goesOn},
		{name: "three times as many are lost as of the small ones", passed: 20, lost: 60, smallPassed: 15, smallLost: 5, want: lostByShare},
		{name: "it may never tell", passed: 100, lost: 100, smallPassed: 25, smallLost: 25, want: neverTells},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := recheck{passed: tc.passed, lost: tc.lost, small: tc.smallPassed + tc.smallLost, smallLost: tc.smallLost}
			if got := c.told(); got != tc.want {
				t.Errorf("told %d, want %d", got, tc.want)
			}
		})
	}
}

// TestRechecksGrowRare: each wait is twice as long, up to an hour, until one comes late.
func TestRechecksGrowRare(t *testing.T) {
	var c recheck
	now := epochStart
	for want := firstRecheck; want < 2*maxRecheck; want *= 2 {
		c.end(now)
		if wait := c.next.Sub(now); wait != min(want, maxRecheck) {
			t.Errorf("the next recheck waits for %v, want %v", wait, min(want, maxRecheck))
		}
		now = c.next
	}
	now = c.ended.Add(3*maxRecheck + maxRecheckTime) // there was data meanwhile
	c.end(now)
	if wait := c.next.Sub(now); wait != firstRecheck {
		t.Errorf("after long the next recheck waits for %v, want %v", wait, firstRecheck)
	}
}

func TestWhatARecheckIsAbout(t *testing.T) {
	lost := record{size: 1500}
	for _, tc := range []struct {
		name   string
		trial  trial
		lo     int // that probes have shown to pass
		plpmtu int
		size   int // to be rechecked
	}{
		{"no trial", trial{}, 1500, 1500, 0},
		{"a smaller size", trial{phase: smaller, size: 1228, record: lost}, 1500, 1228, 1500},
		{"a control is about its own size", trial{phase: control, size: 1500, record: lost}, 1500, 1500, 1500},
		{"one that has settled", trial{phase: settled, size: 1228, record: lost}, 1500, 1228, 1500},
		{"probes pass no more", trial{phase: settled, size: 1228, record: lost}, 1400, 1228, 1400},
		{"probes pass no more than is in use", trial{phase: settled, size: 1228, record: lost}, 1228, 1228, 0},
		{"a larger size is between", trial{phase: larger, size: 1400, record: lost}, 1500, 1400, 1500},
		{"the larger size is that which lost", trial{phase: larger, size: 1500, record: lost}, 1500, 1500, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := onTrial(t)
			m.d.trial, m.d.search.lo, m.d.plpmtu = tc.trial, tc.lo, tc.plpmtu
			if got := m.d.target(); got != tc.size {
				t.Errorf("about %d bytes, want %d", got, tc.size)
			}
			if at := m.d.recheckAt(); at.IsZero() != (tc.size == 0) {
				t.Errorf("due at %v", at)
			}
		})
	}
}

// TestWhenARecheckIsDue: after no large data for some time, which is shorter in a control.
func TestWhenARecheckIsDue(t *testing.T) {
	for phase, rest := range map[phase]time.Duration{smaller: dataRest, control: controlRest, settled: dataRest} {
		m := onTrial(t)
		m.run(time.Minute, nil)
		m.d.trial = trial{phase: phase, size: 1228, record: record{size: 1500}}
		m.d.plpmtu = 1228
		m.d.detector.sizes.heard = m.now
		if at := m.d.recheckAt(); at != m.now.Add(rest) {
			t.Errorf("phase %d: due %v after data, want %v", phase, at.Sub(m.now), rest)
		}
		m.d.recheck.next = m.now.Add(time.Hour)
		if at := m.d.recheckAt(); at != m.now.Add(time.Hour) {
			t.Errorf("phase %d: the next one is due after %v, want an hour", phase, at.Sub(m.now))
		}
		m.d.cfg.Mode = Sequential
		if at := m.d.recheckAt(); !at.IsZero() {
			t.Errorf("phase %d: due in the sequential mode", phase)
		}
	}
}
