package pmtud

import "time"

// verifyPLPMTU has the next fan confirm the PLPMTU, which stays in use, if limit
// allows. It does nothing while probes are under way, which will tell.
func (d *Discovery) verifyPLPMTU(limit *backoff, hint int, now time.Time) {
	if d.cfg.Mode == Fan && d.resting() && d.verify == 0 && !d.round.open && limit.allow(now) {
		d.verify, d.search.hint = d.plpmtu, hint
	}
}

// unverified drops a verification that is pending.
func (d *Discovery) unverified() { d.verify, d.alone = 0, false }

// verified ends a verification.
func (d *Discovery) verified(confirmed bool, now time.Time) {
	if d.compares(confirmed, now) {
		d.doubt.denied = 0
		return
	}
	if confirmed {
		d.doubt.denied = 0
		d.detector.tally, d.standby.again = tally{}, false
		if d.standby.on {
			d.lift(now)
		}
		d.tryOut(now) // what data has lost, probes have not
		return
	}
	if d.verifyAgain() || !d.denied(now) {
		return
	}
	d.ptbs.verify.reset()
	d.detector.verify.reset()
	d.blackHole(now)
}
