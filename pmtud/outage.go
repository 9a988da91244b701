package pmtud

import "time"

// This file tells an outage from a size that does not pass: in an outage nothing at
// all is answered, not even packets of MIN_PLPMTU.

// leastOutage is how long nothing at all is answered before that is an outage. Where a
// round trip takes a millisecond, MAX_PROBES of them are no longer than a busy machine
// needs to answer.
const leastOutage = time.Second

// silence takes in that reports are missing. A fan asks whether anything is
// answered; the PLPMTU stays in use meanwhile.
func (d *Discovery) silence(now time.Time) {
	d.requests.forget()
	if d.cfg.Mode == Sequential {
		d.blackHole(now)
	} else if d.resting() && !d.round.open {
		d.verify = d.plpmtu
	}
}

// unanswered takes in that a fan had no answer at all. It says nothing about
// sizes, and several in a row, for a while, are an outage.
func (d *Discovery) unanswered(now time.Time) {
	if d.cfg.Mode == Sequential {
		d.round.silent = 0
		d.decide(now)
		return
	}
	if d.round.silent == 0 {
		d.round.unheard = d.round.started
	}
	d.round.silent++
	switch {
	case d.standby.on:
		d.unansweredStandingBy(now)
	case d.round.verify > 0 && d.verifyAgain():
	case d.round.silent >= d.cfg.MaxProbes && !d.standby.doubted && now.Sub(d.round.unheard) >= leastOutage:
		d.transition(outage, now)
	case d.resting():
		d.verify, d.comparison.due = d.plpmtu, d.round.paired // ask again: nothing else would
	}
}

// beginOutage keeps the PLPMTU as it was before, and before a suspicion that the
// outage may have caused, and has each fan ask for it first.
func (d *Discovery) beginOutage(now time.Time) {
	was := &d.suspended
	if was.plpmtu == 0 {
		*was = suspension{plpmtu: d.plpmtu, at: now, fails: append(failures(nil), d.search.fails...), raiser: d.raiser}
	} else {
		d.takeBack(was.at, was.plpmtu, now)
	}
	was.outage, was.ptb = true, false
	d.record(Event{At: now, From: d.plpmtu, To: d.plpmtu, Cause: CauseOutage})
	d.search.restart()
	d.search.lossy = false // the outage has lost them
	d.raiser.stop()
	d.unverified()
}
