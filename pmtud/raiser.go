package pmtud

import "time"

// reduced starts the raises again from the shortest: what took the path away
// may give it back soon.
func (d *Discovery) reduced() {
	d.raiseIn, d.keptRaise = min(firstRaise, d.cfg.RaiseTimer), time.Time{}
}

// complete starts PMTU_RAISE_TIMER, unless nothing is left to be raised.
func (d *Discovery) complete(now time.Time) {
	d.raising, d.lossy, d.hint = false, false, 0
	d.raiseAt = time.Time{}
	if d.lo < d.grid.max || d.local > 0 {
		if d.raiseAt = d.keptRaise; d.raiseAt.IsZero() { // a false alarm puts nothing off
			d.raiseAt = now.Add(d.raiseIn)
			d.raiseIn = min(2*d.raiseIn, d.cfg.RaiseTimer)
		}
		d.keptRaise = time.Time{}
	}
}

// raise is PMTU_RAISE_TIMER's expiry (RFC 8899, 5.2).
func (d *Discovery) raise(now time.Time) {
	d.raiseAt = time.Time{}
	if d.local > 0 { // what the kernel refused once may have been a passing state
		d.local = 0
		d.rebound(CauseEgress, now)
	}
	if d.state == Error || d.lo < d.grid.max {
		d.transition(raiseExpired, now)
	}
}
