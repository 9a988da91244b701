package tunnel

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"fathom/crypto"
	"fathom/esp"
)

// This file has to do with initiations whose timestamps say nothing, since a clock
// is or was wrong: see crypto.ReplayGuard.

var (
	errChallengeWanted = errors.New("asked for a challenge back")
	errOvertaken       = errors.New("challenge of an initiation that a later one has overtaken")
)

// challenge answers an initiation of a peer's that may be a recording. It names no
// peer: whoever has the recording may cause it, as often as initiations are read, and
// it shall cost no look-up.
func (h *handshaker) challenge(pending *crypto.Pending, doubt crypto.Doubt, from netip.AddrPort, now time.Time) outcome {
	datagram, err := h.responder.Load().Challenge(esp.AppendMarker(nil), pending, doubt, now)
	if err != nil {
		return outcome{err: err}
	}
	return outcome{datagram: datagram, to: from, err: fmt.Errorf("%w: %v", errChallengeWanted, doubt)}
}

// handleChallenge returns a peer's challenge at once, to where the initiation went
// that the peer doubts. It does so once an initiation: one that has returned a
// challenge in vain is followed by the next when that is due.
func (h *handshaker) handleChallenge(p *peer, doubted initiation, message []byte, now time.Time) outcome {
	challenge, err := doubted.initiator.ConsumeChallenge(message)
	if err != nil {
		return outcome{peer: p, err: err}
	}
	if doubt := challenge.Doubt; doubt.Kind == crypto.ClockBehind && p.initiations.overtaken(doubted, doubt.Reference) {
		return outcome{peer: p, err: errOvertaken} // the response to that is on its way
	}
	p.challenge = challenge
	o := outcome{peer: p, notice: p.clocks.ours.notice(challenge.Doubt, now)}
	if p.initiations.returning(doubted) {
		return o
	}
	generation := p.sas.next(0)
	datagram, initiator, err := h.initiation(p, doubted.remote, doubted.to, generation, now)
	if err != nil {
		o.err = &warning{what: "cannot make a handshake", cause: err}
		return o
	}
	h.initiators.add(initiator.ID(), p)
	h.forget(p.initiations.repeated(initiation{initiator, doubted.to, now, generation, doubted.remote}, crypto.RetryAfter(0, h.random)))
	o.datagram, o.to = datagram, doubted.to
	return o
}

// overtaken reports whether an initiation was sent before an outstanding one that has
// the given timestamp. If it was sent after that, the clock has been set back since.
func (s *initiations) overtaken(doubted initiation, timestamp uint64) bool {
	later := false
	for _, i := range s.outstanding {
		if later && i.initiator.Timestamp() == timestamp {
			return true
		}
		later = later || i.initiator == doubted.initiator
	}
	return false
}

// returning reports whether an initiation, or one that was sent after it, returns a
// challenge.
func (s *initiations) returning(doubted initiation) bool {
	later := false
	for _, i := range s.outstanding {
		later = later || i.initiator == doubted.initiator
		if later && i.initiator.Returns() {
			return true
		}
	}
	return false
}

// repeated records an initiation that was sent in place of one that had an answer,
// so that it counts as the same attempt.
func (s *initiations) repeated(i initiation, wait time.Duration) (void []initiation) {
	void = s.sent(i, wait)
	s.attempts--
	return void
}

// clocks tells the operator, rarely, of clocks that handshakes with a peer have to
// do without. Owned by the control goroutine.
type clocks struct {
	ours, theirs clockNotices
}

// clockNotices are those about the clock of one end.
type clockNotices struct {
	behind, ahead string // what is told
	hint          string
	limit         limit
}

// remindClock is how often a wrong clock is told of.
const remindClock = 6 * time.Hour

// init sets what is told.
func (c *clocks) init() {
	c.ours.behind = "this host's clock is behind what it told the peer before; the handshake goes on by a challenge"
	c.ours.ahead = "this host's clock is far ahead of the peer's; the handshake goes on by a challenge"
	c.ours.hint = "set this host's clock; until then each handshake takes a round trip more"
	c.theirs.behind = "the peer's clock is behind what it told before; handshakes go on by challenges"
	c.theirs.ahead = "the peer's clock is far ahead of this host's; handshakes go on by challenges"
	c.theirs.hint = "compare the clocks of both hosts; until they are right each handshake takes a round trip more"
	c.ours.limit.interval, c.theirs.limit.interval = remindClock, remindClock
}

// notice returns what the operator should hear of a doubt that a challenge dispels;
// nil: nothing. A peer's clock that is behind our start is of no interest: it may be a
// second slow.
func (n *clockNotices) notice(doubt crypto.Doubt, now time.Time) *warning {
	w := &warning{hint: n.hint, details: []any{"by", doubt.Gap().Round(time.Millisecond)}, rare: true}
	switch doubt.Kind {
	case crypto.ClockBehind:
		w.what = n.behind
	case crypto.ClockAhead:
		w.what = n.ahead
	default:
		return nil
	}
	if !n.limit.allow(now) {
		return nil
	}
	return w
}
