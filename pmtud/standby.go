package pmtud

import "time"

// A peer may be reached by several paths, each with a Discovery of its own. One of
// them is in use; the others stand by.
//
//	            New ─▶ in use ◀── Replace ──┐
//	                     │                  │
//	                     └── Replace, of ──▶ standing by ◀── StandBy ◀─ New
//	                         another
//
// A path that stands by is searched once. Then PMTU_RAISE_TIMER, always the longest,
// has a fan confirm the PLPMTU, and if a larger one is possible others look for it. It
// asks for no reports, since no data is sent by it.

// standby is what a Discovery keeps for the case that its path is not the only one.
type standby struct {
	on     bool
	proved time.Time // when the PLPMTU was last known to pass
	// doubted: the path in use may be down. See Doubt.
	doubted bool
	// again: the next verification may fail once. When both ends go over to a path
	// at about the same time, acks of the first fan may be lost with the former path.
	again bool
}

// StandBy says that a new Discovery's path is not in use until Replace. The caller
// calls Poll as long as the path carries anything, if need be late: what is due then
// is done when it does again.
func (d *Discovery) StandBy() { d.standby.on = true }

// Replace puts the path in use in the place of the former one, of another
// Discovery of the same peer, which stands by from now on. roundTrip is that of the path, 0
// if it is unknown.
//
// The PLPMTU that was found applies at once, to the first packet, and the next fan
// confirms it while it stays in use. If it was not known to pass for longer than
// PMTU_RAISE_TIMER the search begins anew from BASE_PLPMTU, first with that size.
//
// Requests and reports go on, about packets that are sent by this path from now
// on. What was lost before says nothing of either path. The history goes on too.
func (d *Discovery) Replace(former *Discovery, roundTrip time.Duration, now time.Time) {
	if d.search.lo > 0 && now.Sub(d.standby.proved) > d.cfg.RaiseTimer {
		d.restartFrom(d.plpmtu, now)
	}
	d.takeOver(former, now)
	d.standby = standby{proved: d.standby.proved}
	if roundTrip > 0 {
		d.rtt = rtt{} // the acks came by other paths
		d.rtt.sample(roundTrip)
		// Answers that were late by the former path, since a host is busy, will be by this.
		d.rtt.variance = max(d.rtt.variance, former.rtt.variance)
	}
	d.round.silent = 0
	if at := d.round.started.Add(d.rtt.smoothed); d.round.nextAt.After(at) {
		d.round.nextAt = at // it rested
	}
	d.raiser.shorten()
	if d.resting() {
		d.raiser.stop()
		if !d.search.atMax() || d.local > 0 {
			d.raiser.runOnce(now)
		}
	}
	if d.cfg.Mode == Fan && d.state != Base && d.search.lo > 0 {
		d.verify, d.standby.again = d.plpmtu, true
	}
}

// restartFrom begins the search anew with a size that passed once.
func (d *Discovery) restartFrom(size int, now time.Time) {
	d.transition(connected, now)
	d.restart(now)
	d.search.hint = size
}

// takeOver exchanges what belongs to the path in use.
func (d *Discovery) takeOver(former *Discovery, now time.Time) {
	former.leave(now)
	d.requests.takeOver(&former.requests)
	d.detector.newSA()
	d.detector.newPLPMTU(d.requests.highestSent())
	d.history, former.history = former.history, nil
	d.suspended.at, d.trial.began = now, now // what is taken back is this path's alone
	if d.plpmtu != former.plpmtu {
		cause := CausePath
		if d.state == Base && d.suspended.plpmtu == 0 {
			cause = CauseStart
		}
		d.history.add(Event{At: now, From: former.plpmtu, To: d.plpmtu, Cause: cause})
	}
}

// leave has the path stand by. It was last known to work when the first of the
// requests left that have no answer.
func (d *Discovery) leave(now time.Time) {
	d.standby = standby{on: true, proved: now}
	if n, since := d.Unanswered(); n > 0 {
		d.standby.proved = since
	}
	d.detector.newSA()
	d.unverified()
	if d.resting() {
		d.raiser.rest(now)
	}
}

// Doubt says whether the path in use may be down, as far as the caller knows, who has
// others to try. While that is so, the absence of answers is no sign of a smaller
// MTU. Once it has turned out to work, what was not answered until then is none either,
// and a fan confirms the PLPMTU.
func (d *Discovery) Doubt(down bool) {
	if d.standby.doubted && !down {
		d.requests.forget()
		if d.cfg.Mode == Fan && d.resting() {
			d.verify = d.plpmtu
		}
	}
	d.standby.doubted = down
}

// verifyAgain reports whether a verification that was not confirmed is to be
// repeated before anything follows from it.
func (d *Discovery) verifyAgain() bool {
	again := d.standby.again
	d.standby.again = false
	if again && d.resting() {
		d.verify = d.plpmtu
	}
	return again
}

// unansweredStandingBy takes in that a fan had no answer at all. After several, not even
// BASE_PLPMTU may pass; or the path is down, which the caller will find out.
func (d *Discovery) unansweredStandingBy(now time.Time) {
	silent := d.round.silent
	switch {
	case silent%d.cfg.MaxProbes != 0:
		if d.resting() {
			d.verify = d.plpmtu
		}
	case d.blackHole(now):
		d.round.silent = silent
	default:
		d.round.nextAt = now.Add(d.cfg.RaiseTimer)
		if d.resting() {
			d.raiser.rest(now)
		}
	}
}
