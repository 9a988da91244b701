package pmtud

import "time"

// A suspension is a PLPMTU in question, with the state to restore if probes prove
// that it passes. The zero value means that no PLPMTU is in question.
type suspension struct {
	plpmtu int
	at     time.Time
	ptb    bool // a PTB is the cause
	outage bool // nothing is answered; the PLPMTU stays in use
	fails  failures
	raiser raiser
	sizes  deliveries // to go on with
}

// suspend goes back to a safe size until probes have answered (RFC 8899, 4.3).
// The safe size is BASE_PLPMTU, which 4.3 and 4.6.2 ask for. For the round trip
// that a suspected black hole takes it is MIN_PLPMTU: a packet that TCP sends
// again must not be lost again, or TCP waits twice as long.
func (d *Discovery) suspend(e event, now time.Time) {
	s := &d.search
	d.suspended = suspension{plpmtu: d.plpmtu, at: now, ptb: e == validPTB, fails: append(failures(nil), s.fails...), raiser: d.raiser, sizes: d.detector.sizes}
	s.restart()
	d.unverified() // the fan of the suspicion tells
	safe, cause := s.grid.base, CausePTB
	if e == blackHole {
		cause = CauseBlackHole
	}
	if e == blackHole || d.state == Error {
		safe = s.grid.min
	}
	if e == validPTB { // which may say that BASE_PLPMTU does not pass either
		safe = max(min(safe, s.grid.floor(s.hint)), s.grid.min)
	}
	d.setPLPMTU(safe, cause, now)
	d.restart(now)
}

// blackHole is a suspicion that packets of the PLPMTU no longer pass. It reports
// whether that is possible.
func (d *Discovery) blackHole(now time.Time) bool {
	return d.plpmtu > d.search.grid.min && d.search.lo > 0 && d.suspended.plpmtu == 0 && d.transition(blackHole, now)
}

// resume ends a suspension whose PLPMTU was acknowledged: a false alarm.
func (d *Discovery) resume(now time.Time) {
	before := d.suspended
	d.suspended = suspension{}
	for _, f := range before.fails {
		if f.size > d.search.lo {
			d.search.fails.add(f.size, f.count)
		}
	}
	d.raiser.resume(before.raiser)
	if before.outage {
		return
	}
	d.takeBack(before.at, before.plpmtu, now)
	d.detector.sizes = before.sizes
	d.cfg.Counts.FalseAlarms++
	if before.ptb {
		d.ptbs.belied = now
		if !d.ptbs.open { // else its packet's fate decides
			d.ptbs.contradict(before.at)
		}
	} else {
		d.doubt.contradict(now)
		d.detector.widen()
		d.comparison.due = d.comparison.due || d.beginsComparison(now)
	}
}

// giveUp ends a suspension whose PLPMTU was not acknowledged while others were.
func (d *Discovery) giveUp() {
	switch {
	case d.suspended.ptb:
		d.ptbs.confirm()
	case !d.suspended.outage: // of which closeRound tells
		d.cfg.Counts.BlackHoles++
	}
	d.suspended = suspension{}
	d.detector.factor = 1
	d.raiser.shorten()
	d.trial.toldUntil, d.ptbs.open = time.Time{}, false
	d.comparison = newComparison()
	d.abandonTrial()
}
