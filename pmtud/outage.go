package pmtud

import "time"

// This file tells an outage from a size that does not pass: in an outage nothing at
// all is answered, not even packets of MIN_PLPMTU.

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

// resting reports whether no search is under way.
func (d *Discovery) resting() bool {
	return d.state == SearchComplete || d.state == Error && d.settled
}

// unanswered takes in that a fan had no answer at all. It says nothing about
// sizes, and several in a row are an outage.
func (d *Discovery) unanswered(now time.Time) {
	if d.cfg.Mode == Sequential {
		d.round.silent = 0
		d.decide(now)
		return
	}
	if d.round.silent++; d.round.silent >= d.cfg.MaxProbes {
		d.transition(outage, now)
	} else if d.resting() {
		d.verify = d.plpmtu // ask again: nothing else would
	}
}

// beginOutage keeps the PLPMTU as it was before, and before a suspicion that the
// outage may have caused, and has each fan ask for it first.
func (d *Discovery) beginOutage(now time.Time) {
	was := &d.suspended
	if was.plpmtu == 0 {
		*was = suspension{plpmtu: d.plpmtu, at: now, fails: append(failures(nil), d.search.fails...), raiser: d.raiser}
	} else {
		d.history.withdraw(was.at)
		d.use(was.plpmtu)
	}
	was.outage, was.ptb = true, false
	d.history.add(Event{At: now, From: d.plpmtu, To: d.plpmtu, Cause: CauseOutage})
	d.search.restart()
	d.search.lossy = false // the outage has lost them
	d.raiser.stop()
	d.verify = 0
}
