package pmtud

import "time"

// This file sends fans, takes in the answers, and draws the conclusions.

// openRound sends a fan.
func (d *Discovery) openRound(dst []Action, now time.Time) []Action {
	verify, alone, paired := d.verify, d.alone && d.verify > 0, d.comparison.due && d.verify > 0
	switch {
	case alone:
		d.sizes = append(d.sizes[:0], d.verify)
	case paired:
		d.sizes = budget{fanPackets, max(d.budget.bytes, comparedBytes)}.each(d.copies).pairs(d.sizes[:0], d.verify, d.search.grid.min)
	default:
		d.sizes = d.search.plan(d.sizes[:0], task{d.state, d.verify, d.suspended.plpmtu, anyLost(d.detector.loss, d.copies), d.doubt.stands(now), d.budget.each(d.copies)})
	}
	d.verify, d.alone, d.comparison.due, d.search.hint = 0, false, d.comparison.due && verify == 0, 0
	dst = d.sendRound(dst, verify, now)
	d.round.alone, d.round.paired = alone, paired
	return dst
}

// sendRound begins a round of the sizes planned.
func (d *Discovery) sendRound(dst []Action, verify int, now time.Time) []Action {
	d.round.begin(d.probes.counter, len(d.sizes), verify, d.round.timeout(d.cfg, d.rtt), now)
	d.cfg.Counts.Probes += uint64(len(d.sizes))
	for _, size := range d.sizes {
		dst = append(dst, Action{Kind: SendProbe, ID: d.probes.add(d.round.number, size, now), Size: size})
	}
	return dst
}

// Ack takes in the peer's acknowledgment of a probe. inFragments says that the
// probe arrived in fragments: it has not passed. An ack changes nothing if it
// belongs to no probe or to one of an earlier generation, or comes twice.
func (d *Discovery) Ack(id uint64, inFragments bool, now time.Time) {
	p := d.probes.find(id)
	if p == nil || d.state == Disabled {
		return
	}
	late := p.Outcome == Lost
	if !p.answer(inFragments, now) {
		return
	}
	d.cfg.Counts.Acked++
	d.rtt.sample(p.After)
	d.reorders = d.reorders || late
	d.clearsDF = d.clearsDF || inFragments
	current := d.round.hear(p)
	if !inFragments {
		d.acked(p.Size, now)
	}
	// acked may have begun another generation or ended the search
	if current && d.round.open && d.round.over(&d.probes, uint32(id), d.rtt.smoothed, d.reorders, now) {
		d.closeRound(now)
	}
}

// ProbeFailed says that a probe of Poll was not sent. tooBig says that the
// kernel refused it for its size (EMSGSIZE): then it is taken as LocalTooBig.
// Otherwise the probe counts for nothing.
func (d *Discovery) ProbeFailed(id uint64, tooBig bool, now time.Time) {
	p := d.probes.find(id)
	if p == nil || p.Outcome != Waiting {
		return
	}
	p.Outcome = Unsent
	if tooBig {
		d.LocalTooBig(p.Size, now)
	}
}

// ProbeRefused says that the kernel refused a probe of Poll for a reason that may
// pass (ENOBUFS, EPERM, ENETDOWN). It counts as a lost one: it is sent again with
// the next fan, and if only the larger probes are refused, their sizes fail.
//
// Of data that is refused so, the caller leaves the sizes in the SentLog (no
// NotSent): reports then tell of it as of data that was lost on the path.
func (d *Discovery) ProbeRefused(id uint64) {
	if p := d.probes.find(id); p != nil && p.Outcome == Waiting {
		p.Outcome = Refused
	}
}

// acked takes in that packets of size bytes pass.
func (d *Discovery) acked(size int, now time.Time) {
	s := &d.search
	if size = min(size, s.grid.max); size < s.grid.min {
		return // proves nothing of any size that may be used
	}
	s.passed(size)
	if size >= d.plpmtu {
		d.standby.proved = now
	}
	if size >= s.grid.base && (d.state == Base || d.state == Error || d.state == Unreachable) {
		d.transition(baseAcked, now)
	}
	if d.suspended.plpmtu > 0 && s.lo >= d.suspended.plpmtu {
		d.resume(now)
	}
	if size := d.usable(); size > d.plpmtu && d.state != Base {
		d.setPLPMTU(size, CauseProbe, now)
		if d.state == SearchComplete {
			d.transition(baseAcked, now)
		}
	}
	if d.state == Searching && s.atMax() {
		d.transition(maxAcked, now)
	}
}

// closeRound draws the conclusions of the fan.
func (d *Discovery) closeRound(now time.Time) {
	if d.round.alone {
		d.closeAlone(now)
		return
	}
	if d.round.recheck > 0 {
		d.closeRecheck(now)
		return
	}
	told := d.round.close(&d.probes, &d.search, d.rtt.smoothed, now)
	d.budget.adapt(told, d.search.grid.max)
	if !told.heard {
		d.unanswered(now)
		return
	}
	suspected, ended := d.suspended.plpmtu > 0, d.suspended.outage
	if d.round.verify > 0 {
		d.verified(told.confirmed, now) // which may begin a suspicion, for the next fan to decide
	}
	if suspected {
		d.giveUp()
	}
	if d.state == Unreachable {
		d.transition(answered, now)
	}
	if ended && d.search.lo < d.plpmtu {
		d.cfg.Counts.BlackHoles++
		d.setPLPMTU(max(d.search.lo, d.search.grid.min), CauseBlackHole, now)
	}
	if lo := d.search.lo; d.state == Error && lo > 0 && lo < d.plpmtu {
		d.setPLPMTU(lo, CauseError, now)
		d.raiser.shorten()
	}
	d.decide(now)
	d.outgrow(told, now)
	if told.fittingLost > 0 && d.round.verify == 0 {
		d.compareAfterSearch(now)
	}
	d.compareFurther()
}

// decide ends the search if its end is reached.
func (d *Discovery) decide(now time.Time) {
	s := &d.search
	switch d.state {
	case Base:
		if s.baseFailed() {
			d.transition(baseFailed, now)
		}
	case Searching:
		if s.atMax() {
			d.transition(maxAcked, now)
		} else if s.nextFailed() {
			d.transition(sizeFailed, now)
		}
	case Error:
		if s.lo > 0 && s.nextFailed() {
			if !d.settled {
				d.complete(now)
			}
			d.settled = true
		}
	}
}

// complete starts PMTU_RAISE_TIMER, unless nothing is left to be raised.
func (d *Discovery) complete(now time.Time) {
	if d.search.lossy {
		d.compareAfterSearch(now)
	}
	d.search.complete()
	d.raiser.stop()
	switch {
	case d.standby.on:
		d.raiser.rest(now)
	case !d.search.atMax() || d.local > 0:
		d.raiser.start(now)
	}
}

// raise is the expiry of PMTU_RAISE_TIMER (RFC 8899, 5.2).
func (d *Discovery) raise(now time.Time) {
	d.raiser.stop()
	if d.local > 0 { // the kernel may have refused a packet in a state that has passed
		d.local = 0
		d.rebound(CauseEgress, now)
	}
	if d.standby.on && d.cfg.Mode == Fan && d.resting() { // no data tells whether it passes still
		d.verify = d.plpmtu
		return
	}
	d.lift(now)
}

// lift searches for a larger PLPMTU, unless it is the largest.
func (d *Discovery) lift(now time.Time) {
	if d.state == Error || !d.search.atMax() {
		d.transition(raiseExpired, now)
	} else if d.standby.on {
		d.raiser.rest(now)
	}
}
