package pmtud

import "time"

// A trial finds the size that arrives where a larger one passes only sometimes.
// Probes tell what can pass; the PLPMTU is also no more than what data is seen to
// pass with.
//
//	     loss by size                 better
//	idle ────────────▶ smaller on trial ────▶ settled ◀─────────────┐ no better
//	 ▲ ▲                    │ no better    ▲    │ later              │
//	 │ ├────────────────────┤              │    └─▶ larger on trial ─┤ better
//	 │ │                    │ better, of   │ loses                   │
//	 │ │ no loss            ▼ much lost    │ again                   │
//	 │ └───────────────── control ─────────┘                         │
//	 └──────────────────────── better, and it is the former size ────┘
//
// Where much was lost, as by a full queue, a control uses the larger size again: fewer
// losses with the smaller one may mean that less was sent meanwhile. While no large data
// flows, probes decide (recheck.go).
type trial struct {
	phase phase
	size  int // the PLPMTU is no more than that, unless idle
	good  int // the size that is settled
	bad   int // the smallest size that is known to lose
	// The record of the size that lost, with which all others are compared.
	record record
	passes record // of the size that is settled, before a larger one is tried

	began     time.Time
	stepped   time.Time     // when the size on trial was last changed
	next      time.Time     // when another trial of a smaller size may begin
	raise     time.Time     // when a larger one may be tried above what has settled
	wait      time.Duration // after the next trial that finds nothing
	excused   float64       // the share of large packets lost of which a trial has shown that their size is not why
	excusedAt time.Time     // when that trial ended
	told      int           // the MTU of a PTB about a packet that was lost
	toldUntil time.Time
	byPTB     bool // the trial is of that size
	unsure    bool // a full queue may have lost as much: a control follows
	// What is resumed when the smaller size is no better, and when the larger one passes again
	// that had settled before it.
	before *trial
}

type phase uint8

const (
	idle phase = iota
	smaller
	control
	settled
	larger
)

const (
	firstTrialWait = time.Minute // four times as long after each trial that finds nothing
	maxTrialWait   = time.Hour
	trialLimit     = time.Minute // a trial that has shown nothing by then has failed
	// Sizes nearer to each other than one in fineness are not worth a trial.
	fineness = 64
	// outgrown is how many probes of one fan show that the path is another one.
	outgrown = 5
)

// usable returns the largest size that probes and data allow.
func (d *Discovery) usable() int {
	if d.trial.phase == idle {
		return d.search.lo
	}
	return min(d.search.lo, d.trial.size)
}

// tryOut takes in a report: it begins and ends trials.
func (d *Discovery) tryOut(now time.Time) {
	t, v := &d.trial, &d.detector
	// If the last large packets are missing, probes must tell first whether any pass.
	if !d.resting() || d.suspended.plpmtu > 0 || d.verify > 0 || d.round.open && d.round.verify > 0 || v.tally.count > 0 && t.phase != larger && t.phase != control {
		return
	}
	switch t.phase {
	case smaller, control, larger:
		if d.plpmtu != t.size {
			d.abandonTrial()
			return
		}
		is := v.sizes.record(t.size)
		var told verdict
		switch {
		case t.phase == smaller:
			told = judge(t.record, is, now.Sub(t.began))
		case t.phase == control:
			told = judgeControl(t.record, is)
		case v.sizes.condemns(t.size):
			told = noBetter
		default:
			told = judgeLarger(t.record, t.passes, is, now.Sub(t.began))
		}
		if told == undecided && now.Sub(latest(t.began, t.stepped)) >= trialLimit {
			told = noBetter
		}
		switch {
		case told == better && t.phase == smaller && t.unsure:
			d.tryAgain(now)
		case told == better && t.phase == smaller && v.sizes.condemns(t.size):
			d.settle(now)
			d.trySmaller(now) // better, and not yet small enough
		case told == better:
			d.settle(now)
		case told == undecided && t.phase == smaller && v.sizes.condemns(t.size) && is.large.events >= minEvents:
			if size, byPTB := d.candidate(t.size); byPTB { // which need not wait for a verdict
				d.step(size, true, now)
			}
		case told == noBetter:
			d.reject(now)
		}
	case idle, settled:
		suspicious := !now.Before(t.next) && v.sizes.suspicious(v.evidence(), d.rtt.smoothed, now.Before(t.toldUntil), t.excuse(now))
		// Of what has settled, a little is lost by a full queue, too, and that can wait.
		if suspicious && (!now.Before(t.raise) || v.sizes.losesMuch() || v.sizes.all(v.evidence())) {
			d.trySmaller(now)
		} else if t.phase == settled && t.mayRaise(v.sizes.accuses(), now) && d.search.lo > t.good {
			d.tryLarger(now)
		}
	}
}

// mayRaise reports whether a larger size may be tried: not as long as the one that has
// settled is accused, since that would drop the evidence, but within trialLimit.
func (t *trial) mayRaise(accused bool, now time.Time) bool {
	return !now.Before(t.raise) && (!accused || now.Sub(t.raise) >= trialLimit)
}

// tried returns the largest size that has lost, of all the trials that one stands on.
func (t *trial) tried() int {
	most := 0
	for ; t != nil; t = t.before {
		most = max(most, t.record.size)
	}
	return most
}

// candidate returns the next size to be tried below the PLPMTU, 0 if there is none.
func (d *Discovery) candidate(plpmtu int) (size int, byPTB bool) {
	g := d.search.grid
	if told := g.floor(d.trial.told); told >= g.min && told < plpmtu && !d.trial.toldUntil.IsZero() {
		return told, true
	}
	for _, size := range [...]int{g.floor(ethernetMTU), g.base, g.min} {
		if size >= g.min && size < plpmtu && (size <= g.base || size < plpmtu/2) {
			return size, false
		}
	}
	return 0, false
}

// trySmaller begins a trial below the PLPMTU, which loses large packets.
func (d *Discovery) trySmaller(now time.Time) {
	size, byPTB := d.candidate(d.plpmtu)
	if size == 0 {
		return
	}
	was, fared := d.trial, d.detector.sizes.record(d.plpmtu)
	was.toldUntil = time.Time{}
	d.trial = trial{
		phase: smaller, size: size, bad: d.plpmtu, byPTB: byPTB,
		record: fared, unsure: !byPTB && fared.lost() >= severe,
		began: now, wait: was.wait, before: &was,
	}
	d.setPLPMTU(size, CauseLoss, now)
}

// tryAgain begins the control: the size that lost is used again.
func (d *Discovery) tryAgain(now time.Time) {
	t := &d.trial
	size := min(t.record.size, d.search.lo)
	if size <= t.size { // probes have lost it meanwhile
		d.settle(now)
		return
	}
	t.phase, t.good, t.size, t.stepped = control, t.size, size, now
	d.setPLPMTU(size, CauseTrial, now)
}

// tryLarger begins a trial above the size that is settled: in the middle of what
// is unknown, and of the size that lost where nothing is.
func (d *Discovery) tryLarger(now time.Time) {
	t, g := &d.trial, d.search.grid
	size := min(t.record.size, d.search.lo)
	if d.search.lo > t.tried() { // the path is another one, it seems
		size = d.search.lo
	} else if most := min(t.bad-g.step, d.search.lo); most-t.good > t.good/fineness {
		size = g.cut(t.good+g.step, most, 0.5)
	}
	t.passes = d.detector.sizes.record(t.good)
	t.phase, t.size, t.began = larger, size, now
	d.setPLPMTU(size, CauseTrial, now)
}

// settle ends a trial of a size with which more arrives.
func (d *Discovery) settle(now time.Time) {
	t := &d.trial
	if t.before != nil && t.before.phase == idle {
		t.before = nil
	}
	if t.phase == control {
		t.size = t.good
		d.setPLPMTU(d.usable(), CauseLoss, now)
	}
	switch {
	case t.phase == larger && t.size >= t.record.size: // it passes again
		t.end(d.cfg.RaiseTimer, now)
		return
	case t.byPTB:
		t.bad = t.size + d.search.grid.step
		d.ptbs.confirm()
	}
	t.phase, t.good, t.wait = settled, t.size, 0
	t.bad = max(t.bad, t.size+d.search.grid.step)
	t.rest(d, now)
}

// end forgets a size that lost and passes again, and goes back to what had settled above
// what is below it.
func (t *trial) end(wait time.Duration, now time.Time) {
	if t.before == nil || t.size >= t.tried() {
		*t = trial{}
		return
	}
	*t = *t.before
	t.raise = now.Add(wait)
}

// reject ends a trial of a size with which no more arrives.
func (d *Discovery) reject(now time.Time) {
	t := &d.trial
	if t.phase == larger {
		t.bad = min(t.bad, t.size)
		t.phase, t.size = settled, t.good
		t.rest(d, now)
		d.takeBack(t.began, d.usable(), now)
		return
	}
	if t.byPTB {
		d.ptbs.contradict(t.began)
	}
	v := &d.detector.sizes
	if size, _ := d.candidate(t.size); t.phase == smaller && size > 0 && v.condemns(t.size) {
		d.step(size, false, now) // the loss is by size here, too
		return
	}
	d.dismiss(t.phase == smaller && fewer(t.record, v.record(t.size)) == noBetter, now)
}

// step goes on with a smaller size, since the one on trial is not small enough.
func (d *Discovery) step(size int, byPTB bool, now time.Time) {
	t := &d.trial
	t.size, t.byPTB = size, byPTB
	d.takeBack(t.began, t.record.size, now)
	d.setPLPMTU(size, CauseLoss, now)
}

// dismiss ends a trial of a smaller size: the larger one is as good. alike says that as
// much was lost by either.
func (d *Discovery) dismiss(alike bool, now time.Time) {
	t, from := &d.trial, d.trial.record.size
	d.cfg.Counts.FalseAlarms++
	wait := min(max(4*t.wait, firstTrialWait), maxTrialWait)
	began, was := t.began, t.record
	*t = *t.before
	t.wait, t.next = wait, now.Add(wait)
	t.raise = latest(t.raise, now.Add(firstTrialWait))
	if alike {
		t.excused, t.excusedAt = was.lost(), now
	}
	d.takeBack(began, min(from, d.usable()), now)
}

// excuse returns the share of large packets lost that the last trial has shown not to be
// lost for their size: for as long as two trials may be apart, 0 afterwards.
func (t *trial) excuse(now time.Time) float64 {
	if now.Sub(t.excusedAt) >= maxTrialWait {
		return 0
	}
	return t.excused
}

// rest waits before the next trial of a larger size: longer where only the size that lost is left to
// be tried.
func (t *trial) rest(d *Discovery, now time.Time) {
	wait := firstTrialWait
	if min(t.bad-d.search.grid.step, d.search.lo)-t.good <= t.good/fineness {
		wait = d.cfg.RaiseTimer
	}
	t.raise = now.Add(wait)
}

// abandonTrial ends a trial without a result: the path has changed.
func (d *Discovery) abandonTrial() {
	switch t := &d.trial; t.phase {
	case smaller, control:
		*t = *t.before
	case larger:
		t.phase, t.size = settled, t.good
	}
}

// outgrow forgets what data has shown where a whole fan has passed up to a size
// beyond all that was tried: the path is another one. Several of its probes are larger than
// what has settled, since one or two may have been lucky.
func (d *Discovery) outgrow(r result, now time.Time) {
	t := &d.trial
	if t.phase == idle || r.fittingLost > 0 {
		return
	}
	passed, largest := 0, 0
	for i := range d.round.count {
		if p := d.probes.number(d.round.first + uint32(i)); p.Outcome == Passed && p.Size > max(t.good, t.size) {
			passed++
			largest = max(largest, p.Size)
		}
	}
	if passed >= outgrown && largest > t.tried() {
		*t = trial{}
		d.setPLPMTU(d.search.lo, CauseProbe, now)
	}
}
