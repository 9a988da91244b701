package paths

import (
	"fmt"
	"time"
)

const (
	// activeFor is how long after the last data the other pairs are kept proved.
	activeFor = time.Minute
	// warmEvery is how often a pair is challenged that is not in use.
	warmEvery = 15 * time.Second
	// returnEvery is the same for a pair that would be preferred to the one in use,
	// until it is reliable.
	returnEvery = 6 * time.Second
)

// An ActionKind says what to send.
type ActionKind uint8

const (
	SendChallenge ActionKind = iota
	SendResponse
)

// An Action is something to send now, by Pair, whichever is in use. Responses
// come right before a challenge by the same pair: they may share a packet, in
// that order, so that the challenge finds the pair proved that the response proves.
type Action struct {
	Kind ActionKind
	Pair Pair
	// Token of a response is that of the challenge.
	Token      uint64
	Generation uint32
	// Use and Stalled: see Challenge. Of a challenge only.
	Use, Stalled bool
}

func (a Action) String() string {
	if a.Kind == SendResponse {
		return fmt.Sprintf("response %08x by %v, generation %d", a.Token>>32, a.Pair, a.Generation)
	}
	return fmt.Sprintf("challenge %08x by %v, generation %d, use %v, stalled %v", a.Token>>32, a.Pair, a.Generation, a.Use, a.Stalled)
}

// Look does the work that is due, and appends to dst what is to be sent now. It
// allocates nothing if nothing is due, or if dst has room.
func (s *Set) Look(dst []Action, t Traffic, now time.Time) []Action {
	if s.silence.look(t, now) {
		s.active = now.Add(activeFor)
	}
	if s.current == nil {
		return dst
	}
	s.resume(now)
	if due(s.doubtAt(), now) {
		s.doubt(now)
	}
	if due(s.signAt(), now) {
		s.begin(stalled, CauseSilent, now)
		s.silence.judged = now
	}
	for _, p := range s.paths {
		if due(s.givenUpAt(p), now) {
			s.giveUp(p, now)
		}
	}
	s.judge(now)
	if p, cause := s.better(now); p != nil {
		s.move(p, cause, now)
	}
	for _, p := range s.paths {
		dst = s.respond(dst, p)
		if due(s.challengeAt(p), now) {
			dst = s.challenge(dst, p, now)
		}
	}
	return dst
}

// Deadline returns when Look must be called at the latest, zero if nothing will
// become due. While data flows, Look is to be called more often than that: about
// as often as report requests leave, and at least every quarter of a second.
func (s *Set) Deadline() (at time.Time) {
	if s.current == nil {
		return at
	}
	at = earliest(s.signAt(), s.doubtAt())
	for i := range s.contest.alarms {
		at = earliest(at, s.contest.alarms[i].later)
	}
	if s.contest.open() {
		at = earliest(at, s.contest.endsAt(s.rttInUse()))
		if p := s.contest.winner(s.paths, s.current); p != nil {
			at = earliest(at, s.contest.decidesAt(p, s.rttInUse(), s.role))
		}
	}
	for _, p := range s.paths {
		at = earliest(at, s.givenUpAt(p))
		at = earliest(at, s.challengeAt(p))
	}
	return at
}

// due reports whether a deadline has come. Zero stands for no deadline.
func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// flows reports whether data has flowed lately.
func (s *Set) flows(now time.Time) bool { return now.Before(s.active) }

// Several reports whether there is more than one pair, so that Look is worth calling
// while data flows.
func (s *Set) Several() bool { return len(s.paths) > 1 }

// doubtAt returns when the pair in use is to be challenged because nothing is heard,
// zero if it is not.
func (s *Set) doubtAt() time.Time {
	if !s.Several() || s.contest.open() || s.limited(s.current) || s.rttInUse().smoothed == 0 {
		return time.Time{}
	}
	return s.silence.doubtAt(s.rttInUse())
}

// signAt returns when the absence of answers will lead to a contest, zero if it
// will not.
func (s *Set) signAt() time.Time {
	if !s.Several() || s.contest.open() && s.contest.kind == stalled {
		return time.Time{}
	}
	at := s.silence.signAt(s.rttInUse())
	if next := s.contest.alarms[stalled].next; !at.IsZero() && at.Before(next) {
		return next
	}
	return at
}

// judge ends a contest that has a result.
func (s *Set) judge(now time.Time) {
	c, r := &s.contest, s.rttInUse()
	if !c.open() {
		return
	}
	if s.current.state == Proved && !s.current.asked.Before(c.began) {
		if c.kind == stalled {
			s.silence.falseAlarm(now)
		}
		c.close(r.smoothed, now)
		return
	}
	if p := c.winner(s.paths, s.current); p != nil && (s.current.state == Failed || s.limited(s.current) || !now.Before(c.decidesAt(p, r, s.role))) {
		if c.kind == elsewhere {
			s.decided = p.Pair // that place, by another address
		}
		s.current.fail()
		s.current.steady.left(now)
		s.move(p, c.cause, now)
		return
	}
	if due(c.endsAt(r), now) {
		s.current.rest()
		c.giveUp()
	}
}

// timeout returns how long an answer by a path may take.
func (s *Set) timeout(p *path) time.Duration {
	if p == s.current {
		return s.rttInUse().timeout()
	}
	return p.rtt.timeout()
}

// givenUpAt returns when a path fails for want of answers, zero if it need not
// yet.
func (s *Set) givenUpAt(p *path) time.Time {
	if p.state == Failed && p.wanted.IsZero() {
		return time.Time{}
	}
	return p.challenges.givenUpAt(s.timeout(p))
}

// giveUp takes in that challenges by a path remain unanswered. Those by the pair in
// use may be alone in that, where somebody forwards copies of them: while
// anything is heard it takes a contest of all pairs to judge it.
func (s *Set) giveUp(p *path, now time.Time) {
	judged := s.contest.open() && s.contest.kind == stalled
	if p != s.current || judged || len(s.paths) < 2 {
		p.fail()
		return
	}
	since := p.unansweredSince
	p.unanswered = 0
	p.rest()
	if s.silence.heard.Before(since) {
		s.begin(stalled, CauseSilent, now)
	}
}

// pace returns how a path is challenged.
func (s *Set) pace(p *path) pace {
	c := pace{timeout: s.timeout(p), confirmed: p.confirmed, failed: p.state == Failed}
	judged := s.contest.open() && s.contest.kind == stalled
	switch {
	case p == s.current:
		if c.failed {
			c.period = warmEvery
		}
	case !p.ours && !judged && !s.strayedFrom(p):
	case s.preferable(p) && p.steady.answers > 0 && p.steady.answers < enoughAnswers:
		c.period = returnEvery
	default:
		c.period = warmEvery
	}
	return c
}

// challengeAt returns when a path is to be challenged next, zero for never.
func (s *Set) challengeAt(p *path) time.Time {
	at := p.dueAt(s.pace(p))
	if p.wanted.IsZero() && !at.Before(s.active) && !s.cfg.Keepalive {
		at = time.Time{}
	}
	if p == s.current && s.decision.untold && (s.cfg.Keepalive || s.decision.next.Before(s.active)) {
		at = earliest(at, s.decision.next)
	}
	if at.IsZero() || !s.limited(p) {
		return at
	}
	if !p.ours && !p.allowance.allows(messageSize) {
		return time.Time{}
	}
	if next := s.strangers.at(p.Remote); at.Before(next) {
		return next
	}
	return at
}

// challenge appends a challenge by a path.
func (s *Set) challenge(dst []Action, p *path, now time.Time) []Action {
	a := Action{Kind: SendChallenge, Pair: p.Pair, Token: s.token(), Generation: uint32(s.decision.generation)}
	if s.limited(p) {
		s.strangers.ask(p.Remote, now)
		p.allowance.went += messageSize
	}
	if p.unanswered > 0 {
		p.steady.broken()
	}
	if p == s.current && s.decision.untold {
		a.Use = true
		s.decision.told(s.timeout(p), now)
	}
	a.Stalled = p == s.current && s.appeals || s.role != Decider && s.contest.open() && s.contest.kind == stalled && s.contest.cause != CausePeer
	p.ask(a.Token, now)
	p.happens(asked)
	return append(dst, a)
}

// token draws one, which is never zero.
func (s *Set) token() uint64 {
	for {
		if t := s.cfg.Random(); t != 0 {
			return t
		}
	}
}

// respond appends the responses that a path owes. They leave by the pair that
// the challenges came by (RFC 9000 section 8.2.2).
func (s *Set) respond(dst []Action, p *path) []Action {
	for _, o := range p.owed[:p.owes] {
		if s.limited(p) {
			if !p.ours && !p.allowance.allows(messageSize) {
				break
			}
			p.allowance.went += messageSize
		}
		dst = append(dst, Action{Kind: SendResponse, Pair: p.Pair, Token: o.token, Generation: uint32(s.decision.generation)})
	}
	p.owes = 0
	return dst
}
