package pmtud

import "time"

// doubtful is how long after a suspicion that probes have contradicted the next one
// changes nothing before a fan has agreed with it.
const doubtful = time.Minute

// suspect takes in that large packets vanish, according to reports. The first such
// suspicion lowers the PLPMTU at once. Soon after one that was false, a fan is asked
// first: a path on which suspicions and probes contradict each other is one for a
// trial, and the PLPMTU must not go to and fro.
func (d *Discovery) suspect(now time.Time) {
	switch {
	case d.trial.phase == larger && d.plpmtu == d.trial.size:
		d.reject(now)
	case recent(d.contradicted, now) && d.cfg.Mode == Fan && d.resting():
		if !d.round.open {
			d.verify = d.plpmtu
		}
	default:
		d.blackHole(now)
	}
}

// recent reports whether probes have contradicted a suspicion, at the given time, so
// lately that the next is in doubt. Zero stands for none.
func recent(contradicted, now time.Time) bool {
	return !contradicted.IsZero() && now.Sub(contradicted) < doubtful
}
