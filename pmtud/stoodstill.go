package pmtud

import "time"

// This file keeps an end that stood still, as a virtual machine that is moved does or a
// host with more to do than it can, from taking that for a loss. What has come meanwhile
// waits to be read, so nothing is lost yet. Poll coming late shows it.

// stoodStill is how late Poll is where this end has stood still: more than a timer is.
const stoodStill = 10 * time.Millisecond

// stoodStillSince reports whether a deadline was missed because this end stood still.
func stoodStillSince(at, now time.Time) bool { return !at.IsZero() && now.Sub(at) > stoodStill }

// excuse begins anew to wait for answers that were due while this end stood still. It
// does so once a round, and once until a report has come: an end that is always late must
// draw its conclusions all the same.
func (d *Discovery) excuse(now time.Time) {
	if r := &d.round; r.open && !r.excused && stoodStillSince(r.closeAt, now) {
		r.closeAt, r.excused = now.Add(d.rtt.timeout()), true
	}
	if r := &d.requests; r.excused.IsZero() && stoodStillSince(d.silenceAt(), now) {
		r.excused = now
	}
}
