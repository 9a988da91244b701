package pmtud

import "time"

// A doubt is what must be known to take a suspicion back.
type doubt struct {
	at      time.Time
	size    int // the PLPMTU in question; 0: no doubt
	ptb     bool
	fails   []failure
	raiseAt time.Time
	raiseIn time.Duration
}

// suspect goes back to a safe size until probes have answered (RFC 8899, 4.3).
func (d *Discovery) suspect(e event, safe int, now time.Time) {
	d.doubt = doubt{now, d.plpmtu, e == validPTB, append([]failure(nil), d.fails...), d.raiseAt, d.raiseIn}
	d.lo, d.fails = 0, d.fails[:0]
	if e == validPTB { // which may say that BASE_PLPMTU does not pass either
		safe = max(min(safe, d.grid.floor(d.hint)), d.grid.min)
	}
	d.setPLPMTU(safe, causeOf(e), now)
	d.restart(now)
}

// blackHole is a suspicion that packets of the PLPMTU no longer pass.
func (d *Discovery) blackHole(now time.Time) {
	if d.plpmtu > d.grid.min && d.lo > 0 && d.doubt.size == 0 {
		d.transition(blackHole, now)
	}
}

// falseAlarm takes a suspicion back: its size was acknowledged.
func (d *Discovery) falseAlarm() {
	for _, f := range d.doubt.fails {
		if f.size > d.lo {
			d.addFailure(f.size, f.count)
		}
	}
	d.raiseIn, d.keptRaise = d.doubt.raiseIn, d.doubt.raiseAt
	if d.doubt.ptb {
		d.contradicted++
		d.contradictedAt = d.doubt.at
	} else {
		d.reports.widen()
	}
	d.doubt = doubt{}
}

// verdict ends a suspicion whose size was not acknowledged while others were.
func (d *Discovery) verdict() {
	if d.doubt.ptb {
		d.contradicted = 0
	}
	d.doubt = doubt{}
	d.reports.factor = 1
	d.reduced()
}
