package pmtud

import "time"

// A raiser is PMTU_RAISE_TIMER (RFC 8899, 5.1.1). It is short after a reduction,
// since the path may soon be as before, and doubles up to its limit.
type raiser struct {
	limit time.Duration // PMTU_RAISE_TIMER
	at    time.Time     // when it expires; zero: it is stopped
	wait  time.Duration // how long it runs next
	kept  time.Time     // the expiry that a false alarm interrupted; zero: no alarm did
}

// shorten has the timer begin with the shortest wait again.
func (r *raiser) shorten() { r.wait, r.kept = min(firstRaise, r.limit), time.Time{} }

// stop stops the timer.
func (r *raiser) stop() { r.at = time.Time{} }

// start runs the timer, for twice as long as the last time. After a false alarm
// the timer goes on as if the alarm had not happened.
func (r *raiser) start(now time.Time) {
	if r.at = r.kept; r.at.IsZero() {
		r.runOnce(now)
		r.wait = min(2*r.wait, r.limit)
	}
	r.kept = time.Time{}
}

// runOnce runs the timer and leaves the next wait as it is.
func (r *raiser) runOnce(now time.Time) { r.at = now.Add(r.wait) }

// rest runs the timer in full: the path is not in use.
func (r *raiser) rest(now time.Time) {
	r.wait, r.kept = r.limit, time.Time{}
	r.runOnce(now)
}

// resume has the next start go on where the timer was before a false alarm.
func (r *raiser) resume(before raiser) { r.wait, r.kept = before.wait, before.at }
