package pmtud

import "time"

// A recheck decides by probes about the size that a trial is about, while no large data
// flows that could: whether it passes, or is lost by a share. Its fans are some time
// apart, so that none of them fills a queue:
//
//	the size, up to recheckCopies times   a small one   ··· recheckPause ···   the same again
//
// It ends when so many probes have passed as a path that loses one in four would
// hardly let, or when some were lost, beyond what the small ones make likely, or after so
// many that more will not tell. The next one begins after 15 s, and twice as long after
// each that came soon, up to an hour.
type recheck struct {
	began            time.Time     // zero between two of them
	passed, lost     int           // probes of the size
	small, smallLost int           // of those beside them, and how many were lost
	next             time.Time     // when the next fan may leave
	wait             time.Duration // before this recheck
	vanished         int           // rechecks in a row, before this, of which no probe of the size has passed
	ended            time.Time     // when the last one did
}

const (
	// dataRest is how long no large data has flowed before probes decide.
	dataRest = 5 * time.Second
	// controlRest is that of a control: a connection that loses its large packets again backs
	// off, and would tell ever more rarely.
	controlRest    = time.Second
	recheckCopies  = 4
	recheckPause   = time.Second
	recheckPassed  = 24 // in a row, by a path that loses one in four, once in 1000 times
	recheckPerLoss = 8  // as many more for each that is lost
	recheckLost    = 2
	// recheckMost is how many probes of the size leave a recheck undecided: where loss hits
	// all sizes, they may never tell. It is tried again later.
	recheckMost = 200
	// recheckVanished is how many rechecks in a row without a probe that passes say that
	// the size does not pass at all.
	recheckVanished = 3
	firstRecheck    = 15 * time.Second
	maxRecheck      = time.Hour
)

// target returns the size to be rechecked, 0 if there is none.
func (d *Discovery) target() int {
	t := &d.trial
	size := min(t.record.size, d.search.lo)
	if t.phase == idle || t.phase != control && size <= d.plpmtu {
		return 0
	}
	return size
}

// rests returns since when neither large data nor a trial has changed anything.
func (d *Discovery) rests() time.Time {
	return latest(d.detector.sizes.heard, latest(d.trial.began, d.trial.stepped))
}

// recheckAt returns when the next fan of a recheck is due, zero if there is none. The
// sequential mode has none.
func (d *Discovery) recheckAt() time.Time {
	if d.cfg.Mode != Fan || !d.resting() || d.standby.on || d.standby.doubted || d.suspended.plpmtu > 0 || d.target() == 0 {
		return time.Time{}
	}
	rest := dataRest
	if d.trial.phase == control {
		rest = controlRest
	}
	return latest(latest(d.rests().Add(rest), d.recheck.next), d.round.nextAt)
}

// openRecheck sends a fan of a recheck.
func (d *Discovery) openRecheck(dst []Action, now time.Time) []Action {
	c, size, g := &d.recheck, d.target(), d.search.grid
	if c.began.Before(d.rests()) {
		c.again(now)
	}
	b := initialBudget.each(d.copies)
	d.sizes = d.sizes[:0]
	for range max(1, min(recheckCopies, b.packets-1, (b.bytes-g.min)/size)) {
		d.sizes = append(d.sizes, size)
	}
	d.sizes = append(d.sizes, g.min)
	dst = d.sendRound(dst, 0, now)
	d.round.recheck = size
	d.round.closeAt = latest(d.round.closeAt, now.Add(recheckPause/2)) // a slow link takes the fan apart
	return dst
}

// closeRecheck draws the conclusion of a fan of a recheck, and of the whole if it is the
// last.
func (d *Discovery) closeRecheck(now time.Time) {
	c, size, lossy := &d.recheck, d.round.recheck, d.search.lossy
	told := d.round.close(&d.probes, &d.search, d.rtt.smoothed, now)
	d.search.lossy = lossy
	c.next = now.Add(recheckPause)
	if !told.heard {
		d.unanswered(now)
		return
	}
	if size != d.target() {
		return // it is about another one by now
	}
	for i := range d.round.count {
		switch p := d.probes.number(d.round.first + uint32(i)); {
		case p.Outcome == Unsent:
		case p.Size != size:
			c.small++
			if p.Outcome != Passed {
				c.smallLost++
			}
		case p.Outcome == Passed:
			c.passed++
		default:
			c.lost++
		}
	}
	switch c.told() {
	case passesWhole:
		c.end(now)
		c.vanished = 0
		d.passesAgain(now)
	case lostByShare:
		c.vanished++
		if c.passed > 0 {
			c.vanished = 0
		}
		c.end(now)
		if d.losesAgain(now); c.vanished >= recheckVanished {
			d.searchAnew(now)
		}
	case neverTells:
		c.end(now)
	}
}

// A recheckVerdict is what a recheck has told so far.
type recheckVerdict uint8

const (
	goesOn recheckVerdict = iota
	passesWhole
	lostByShare
	neverTells
)

// told compares the probes of the size with the small ones beside them.
func (c *recheck) told() recheckVerdict {
	switch {
	case c.passed >= recheckPassed+recheckPerLoss*c.lost:
		return passesWhole
	case c.lost >= recheckLost && (c.lost-recheckLost)*c.small >= 2*c.smallLost*(c.passed+c.lost):
		return lostByShare
	case c.passed+c.lost >= recheckMost:
		return neverTells
	}
	return goesOn
}

// again begins to count anew.
func (c *recheck) again(at time.Time) {
	*c = recheck{began: at, next: c.next, wait: c.wait, ended: c.ended, vanished: c.vanished}
}

// end ends a recheck.
func (c *recheck) end(now time.Time) {
	if c.wait > 0 && now.Sub(c.ended) < 3*c.wait+maxRecheckTime {
		c.wait = min(2*c.wait, maxRecheck)
	} else {
		c.wait = firstRecheck
	}
	c.again(time.Time{})
	c.ended, c.next = now, now.Add(c.wait)
}

// maxRecheckTime is about how long one may take.
const maxRecheckTime = time.Minute

// passesAgain ends the trial, since probes show that the size passes.
func (d *Discovery) passesAgain(now time.Time) {
	switch t := &d.trial; t.phase {
	case smaller, control:
		d.dismiss(false, now)
	case settled, larger:
		t.end(d.cfg.RaiseTimer, now)
		d.setPLPMTU(d.usable(), CauseProbe, now)
	}
}

// losesAgain settles on the smaller size, since probes show that the larger one is lost
// by a share.
func (d *Discovery) losesAgain(now time.Time) {
	switch d.trial.phase {
	case smaller, control:
		d.settle(now)
	case larger:
		d.reject(now)
	}
}

// searchAnew looks for a larger PLPMTU from the one in use up, since the size that a trial
// was about does not pass any more.
func (d *Discovery) searchAnew(now time.Time) {
	d.recheck.vanished, d.trial, d.comparison = 0, trial{}, newComparison()
	d.search.lo = d.plpmtu
	d.lift(now)
}
