package pmtud

import "time"

const (
	// doubtful is how long after a suspicion that probes have contradicted the next one
	// changes nothing before fans have agreed with it: at first, and at most, after
	// several that came soon.
	doubtful    = time.Minute
	maxDoubtful = 32 * time.Minute
	// denials is how many fans in a row must agree with a suspicion in doubt. A policer
	// whose bucket is empty loses all large packets of a fan, and none of the next.
	denials = 3
)

// A doubt is about suspicions: probes have contradicted some. The zero value is none.
type doubt struct {
	since  time.Time     // when they did last
	lasts  time.Duration // how long the next suspicion is in doubt
	denied int           // fans in a row that have not confirmed the PLPMTU
}

// contradict takes in that probes have contradicted a suspicion: the doubt lasts twice
// as long if it has not been over for as long as it lasted.
func (c *doubt) contradict(now time.Time) {
	if c.lasts > 0 && now.Sub(c.since) < 2*c.lasts {
		c.lasts = min(2*c.lasts, maxDoubtful)
	} else {
		c.lasts = doubtful
	}
	c.since = now
}

// stands reports whether a suspicion is in doubt.
func (c *doubt) stands(now time.Time) bool { return c.lasts > 0 && now.Sub(c.since) < c.lasts }

// suspect takes in that large packets vanish, according to reports. The first such
// suspicion lowers the PLPMTU at once. Soon after one that was false, a fan is asked
// first: a path on which suspicions and probes contradict each other is one for a
// trial, and the PLPMTU must not go to and fro.
func (d *Discovery) suspect(now time.Time) {
	switch {
	case d.trial.phase == larger && d.plpmtu == d.trial.size:
		d.reject(now)
	case d.doubt.stands(now) && d.cfg.Mode == Fan && d.resting():
		if !d.round.open {
			d.verify = d.plpmtu
		}
	default:
		d.blackHole(now)
	}
}

// denied takes in that a fan has not confirmed the PLPMTU. It reports whether that is
// enough for a suspicion; else the next fan asks again. A comparison is about a size that
// has passed just before, so one of its fans is not enough.
func (d *Discovery) denied(now time.Time) bool {
	d.doubt.denied++
	if (d.doubt.stands(now) || d.round.paired) && d.doubt.denied < denials && d.resting() {
		d.verify = d.plpmtu
		return false
	}
	d.doubt.denied = 0
	return true
}
