package paths

import "time"

// A contest asks whether the pair in use works still, and which other does: all
// that take part are challenged at the same moment. The pair in use stays if it
// answers in time; else one that has answered follows it. So nothing moves before
// the new place is proved and the old one had its chance (RFC 9000 section 9.3.3).
// The zero value is none.
type contest struct {
	began time.Time // zero: none is under way
	kind  contestKind
	cause Cause // of the move that it leads to
	// alarms bound how often one begins, for each kind.
	alarms [2]alarm
}

type contestKind uint8

const (
	// stalled: data has no answer, here or at the peer. All pairs take part, and
	// the first answer wins.
	stalled contestKind = iota
	// elsewhere: the newest packet came from elsewhere. The places where the peer
	// was heard take part. A copy with a forged source must not win, nor one of two
	// NATs that share the peer's packets: the pair in use has more time.
	elsewhere
)

const (
	// elsewhereFor, and elsewhereRoundTrips, is how long a contest of that kind
	// lasts if nobody answers. Places that were never proved are challenged once a
	// second.
	elsewhereFor        = 2500 * time.Millisecond
	elsewhereRoundTrips = 8
	// alarmRoundTrips, but at least alarmAfter, is how long after a contest that the
	// pair in use has won there is no other. It doubles up to alarmLimit.
	alarmRoundTrips = 4
	alarmAfter      = 100 * time.Millisecond
	alarmLimit      = 8 * time.Second
	// leastPatience is the least that an answer may take longer than the estimate
	// says.
	leastPatience = 2 * time.Millisecond
)

// An alarm bounds how often contests begin that change nothing.
type alarm struct {
	next time.Time
	wait time.Duration
	// later is when the contest begins that could not begin since; zero: none is put
	// off. A peer that is quiet gives a sign but once.
	later, since time.Time
	cause        Cause // of it
}

// putOff has a contest begin when it may, not before a time.
func (a *alarm) putOff(cause Cause, until, now time.Time) {
	if a.later.IsZero() {
		a.since = now
	}
	a.later, a.cause = until, cause
	if a.later.Before(a.next) {
		a.later = a.next
	}
}

// falsely notes a contest that the pair in use has won.
func (a *alarm) falsely(srtt time.Duration, now time.Time) {
	least := max(alarmRoundTrips*srtt, alarmAfter)
	if now.Sub(a.next) > alarmLimit {
		a.wait = 0
	}
	a.wait = min(max(2*a.wait, least), max(alarmLimit, least))
	a.next = now.Add(a.wait)
}

// callOff takes in that the pair in use has answered what left at a time: contests
// that were put off before then are decided.
func (c *contest) callOff(left time.Time) {
	for k := range c.alarms {
		if a := &c.alarms[k]; !left.Before(a.since) {
			a.later = time.Time{}
		}
	}
}

func (c *contest) open() bool { return !c.began.IsZero() }

// begin opens a contest, or widens the one under way, whose challenges count
// still. It reports whether that changed anything.
func (c *contest) begin(k contestKind, cause Cause, now time.Time) bool {
	if c.open() && (c.kind == k || c.kind == stalled) {
		return false
	}
	a := &c.alarms[k]
	if now.Before(a.next) {
		a.putOff(cause, a.next, now)
		return false
	}
	a.later = time.Time{}
	if !c.open() {
		c.began = now
	}
	c.kind, c.cause = k, cause
	return true
}

// giveUp ends a contest in which nobody has answered. What is heard next may begin
// another.
func (c *contest) giveUp() { c.began = time.Time{} }

// close ends a contest that the pair in use has won.
func (c *contest) close(srtt time.Duration, now time.Time) {
	c.alarms[c.kind].falsely(srtt, now)
	c.began = time.Time{}
}

// forget ends a contest because another pair is in use.
func (c *contest) forget() { *c = contest{} }

// decidesAt returns when a pair that has answered follows the one in use, whose
// round trip is r.
func (c *contest) decidesAt(winner *path, r rtt, role Role) time.Time {
	r = r.orInitial()
	if c.kind == elsewhere {
		return c.began.Add(2 * r.smoothed)
	}
	patience := r.smoothed + max(2*r.variance, leastPatience)
	if role == Follower && winner.newest.Before(c.began) { // the decider, who is not there, has the first word
		patience += 2 * r.smoothed
	}
	return c.began.Add(patience)
}

// endsAt returns when a contest ends that nobody has won, zero for never.
func (c *contest) endsAt(r rtt) time.Time {
	if c.kind == stalled {
		return time.Time{}
	}
	return c.began.Add(elsewhereFor + elsewhereRoundTrips*r.orInitial().smoothed)
}

// winner returns the path that may follow the one in use, nil if none has
// answered yet: of those that have, the one of the lowest cost, then the quickest.
func (c *contest) winner(l list, current *path) (best *path) {
	for _, p := range l {
		if p == current || p.state != Proved || p.asked.Before(c.began) {
			continue
		}
		if c.kind == elsewhere && p.newest.Before(c.began) {
			continue
		}
		if best == nil || p.cost == best.cost && p.rtt.smoothed < best.rtt.smoothed {
			best = p
		}
	}
	return best
}
