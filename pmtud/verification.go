package pmtud

import "time"

// verifyPLPMTU has the next fan confirm the PLPMTU, which stays in use, if limit
// allows. It does nothing while probes are under way, which will tell.
func (d *Discovery) verifyPLPMTU(limit *backoff, hint int, now time.Time) {
	if d.cfg.Mode == Fan && d.resting() && d.verify == 0 && !d.round.open && limit.allow(now) {
		d.verify, d.search.hint = d.plpmtu, hint
	}
}

// verified ends a verification.
func (d *Discovery) verified(confirmed bool, now time.Time) {
	if confirmed {
		d.detector.tally, d.standby.again = tally{}, false
		if d.standby.on {
			d.lift(now)
		}
		return
	}
	if d.verifyAgain() {
		return
	}
	d.ptbs.verify.reset()
	d.detector.verify.reset()
	d.blackHole(now)
}
