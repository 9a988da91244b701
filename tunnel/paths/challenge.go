package paths

import "time"

const (
	// rememberedChallenges is how many challenges of a pair may still be answered.
	rememberedChallenges = 4
	// answerableFor is how old a challenge may be when its answer comes.
	answerableFor = 10 * time.Second
	// enoughUnanswered challenges in a row make a pair fail.
	enoughUnanswered = 3
	// repeatEvery is the least time until a challenge that nobody hurries is
	// repeated.
	repeatEvery = time.Second
	// retryLimit bounds the wait before a failed pair is tried again, which begins
	// with repeatEvery and doubles.
	retryLimit = 30 * time.Second
)

// A challenge is one that was sent (RFC 9000 section 8.2.1). Its token is random:
// the peer must not be able to answer from anywhere but where it was sent to.
type challenge struct {
	token uint64 // 0: none, or answered
	sent  time.Time
}

// challenges decides when a pair is challenged, and knows the last ones. The zero
// value has sent none and wants none.
type challenges struct {
	sent       [rememberedChallenges]challenge
	next       int       // the entry of the next one
	last       time.Time // when the last one left; zero: none has
	unanswered int       // since the last answer
	// unansweredSince is when the first of those left.
	unansweredSince time.Time
	// wanted is since when an answer is wanted without delay; zero: it is not. It
	// then is asked for again after each timeout.
	wanted  time.Time
	repeats int // challenges since then
}

// want asks for an answer to a challenge that leaves now or later.
func (c *challenges) want(now time.Time) { c.wanted, c.repeats = now, 0 }

// hurry wants an answer, be it to a challenge that is under way.
func (c *challenges) hurry(timeout time.Duration, now time.Time) {
	switch {
	case !c.wanted.IsZero():
	case c.unanswered > 0 && now.Sub(c.last) < timeout:
		c.wanted, c.repeats = c.last, 1
	default:
		c.want(now)
	}
}

// rest wants nothing any more.
func (c *challenges) rest() { c.wanted = time.Time{} }

// ask notes a challenge that leaves now.
func (c *challenges) ask(token uint64, now time.Time) {
	c.sent[c.next] = challenge{token, now}
	c.next = (c.next + 1) % rememberedChallenges
	c.last = now
	if c.unanswered == 0 {
		c.unansweredSince = now
	}
	c.unanswered++
	c.repeats++
}

// answer takes in a token. It returns when the challenge with it left, false if
// there is none, or none that may still be answered.
func (c *challenges) answer(token uint64, now time.Time) (sent time.Time, ok bool) {
	for i := range c.sent {
		if q := &c.sent[i]; token != 0 && q.token == token {
			q.token = 0
			if now.Sub(q.sent) > answerableFor {
				return time.Time{}, false
			}
			c.unanswered = 0
			return q.sent, true
		}
	}
	return time.Time{}, false
}

// tells reports whether the answer to a challenge that left at a time tells how long the
// round trip is. One that was repeated meanwhile may have waited for an outage to end.
// That of the last challenge tells: where the round trip has become longer, the first
// answer ends the repetitions, so that the last is answered, too.
func (c *challenges) tells(left time.Time) bool { return !left.Before(c.last) }

// A pace says how a pair is challenged.
type pace struct {
	timeout time.Duration // how long an answer may take
	// period is how long after an answered challenge the next one follows that
	// nobody hurries, 0 for never.
	period time.Duration
	// confirmed is when the pair last answered, be it a handshake.
	confirmed time.Time
	failed    bool
}

// dueAt returns when the next challenge is due, zero for never.
func (c *challenges) dueAt(p pace) time.Time {
	switch {
	case !c.wanted.IsZero() && c.repeats == 0:
		return c.wanted
	case !c.wanted.IsZero():
		return c.last.Add(p.timeout << min(c.repeats-1, 4))
	case p.period == 0:
		return time.Time{}
	case p.failed:
		return c.last.Add(min(repeatEvery<<min(max(c.unanswered-enoughUnanswered, 0), 5), retryLimit))
	case c.unanswered > 0:
		return c.last.Add(max(p.timeout, repeatEvery))
	}
	if p.confirmed.After(c.last) {
		return p.confirmed.Add(p.period)
	}
	return c.last.Add(p.period)
}

// givenUpAt returns when a pair fails for want of answers, zero if it need not
// yet. Answers that are wanted have enoughUnanswered chances of their own.
func (c *challenges) givenUpAt(timeout time.Duration) time.Time {
	if c.unanswered < enoughUnanswered || !c.wanted.IsZero() && c.repeats < enoughUnanswered {
		return time.Time{}
	}
	return c.last.Add(timeout)
}
