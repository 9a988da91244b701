package tunnel

import (
	"math"
	"slices"
	"time"
)

const (
	// retireGrace is how long no packet may arrive on a pair that has been
	// replaced before it ends: packets may be under way or queued for that long.
	retireGrace = 10 * time.Second
	// maxUnproven bounds the answered handshakes that wait for their first
	// packet. More than one is normal where the round trip takes longer than
	// the initiator's patience. The initiator may use any answer to its last
	// initiations, and may already have begun the next exchange.
	maxUnproven = 2 * maxOutstanding
	// maxSpare bounds the other pairs that are not sent on.
	maxSpare = 32
)

// saSet holds the SA pairs of one peer, all of which receive, and knows which of
// them to send on. Both ends have the pairs in the same order, and each sends on
// the highest one that it knows the other has:
//
//	handshake we began, answered ─▶ sent on ── no answer on it ─▶ doubted ── peer's first packet ─▶ sent on
//	handshake we answered ────────▶ unproven ─────────────────────────────── peer's first packet ─▶ sent on
//	lower than the one sent on ───▶ receives ── retireGrace without a packet ──▶ gone
//
// The peer had installed a pair before it sent the response, so we may send on it
// at once. If it does not answer there, it may have begun anew meanwhile: then a
// lower pair that it has proved to have goes first. A pair is never replaced
// before its successor is usable in the direction in question, so a rekey loses
// no packet ("make before break"). See docs/handshake.md.
//
// The zero value is empty. Owned by the control goroutine; pure. Methods that
// report a switch have made another pair current, or none.
type saSet struct {
	current *saPair   // to send on, nil: none; one of pairs
	pairs   []*saPair // the lowest first
}

// next returns the generation of a new pair: higher than that of all in the set,
// and at least what the peer asks for. Where there is no higher one the youngest
// pair wins at each end.
func (s *saSet) next(atLeast uint64) uint64 {
	if len(s.pairs) == 0 {
		return max(atLeast, 1)
	}
	top := s.pairs[len(s.pairs)-1].rank.generation
	if top < math.MaxUint64 {
		top++
	}
	return max(atLeast, top)
}

// add lets a pair receive, and perhaps be sent on. A peer that makes more than it
// uses loses its lowest ones.
func (s *saSet) add(p *saPair, now time.Time) (switched bool) {
	at := len(s.pairs)
	for at > 0 && p.rank.below(s.pairs[at-1].rank) {
		at--
	}
	s.pairs = slices.Insert(s.pairs, at, p)
	switched = s.choose(now)
	unproven, spare := 0, 0
	for _, p := range slices.Backward(s.pairs) {
		switch {
		case p == s.current || p.over:
		case !p.initiator && !p.proven:
			unproven++
			p.over = unproven > maxUnproven
		default:
			spare++
			p.over = spare > maxSpare
		}
	}
	return switched
}

// prove takes note that the peer has sent on p.
func (s *saSet) prove(p *saPair, now time.Time) (switched bool) {
	p.proven, p.doubted = true, false
	return s.choose(now)
}

// doubt takes note that the peer has not answered on p, which it has never sent
// on.
func (s *saSet) doubt(p *saPair, now time.Time) (switched bool) {
	p.doubted = true
	return s.choose(now)
}

// choose makes the pair current that is to be sent on, and lets those below it
// retire.
func (s *saSet) choose(now time.Time) (switched bool) {
	var best, last *saPair
	for _, p := range s.pairs {
		if p.proven || p.initiator && !p.doubted {
			best = p
		}
		if p.initiator {
			last = p
		}
	}
	if best == nil {
		best = last
	}
	switched, s.current = best != s.current, best
	below := best != nil
	for _, p := range s.pairs {
		below = below && p != best
		if !below {
			p.retires = time.Time{}
		} else if p.retires.IsZero() {
			p.retires = now.Add(retireGrace)
			p.inbound.used.Store(false)
		}
	}
	return switched
}

// expire takes out the pairs whose time is over and returns them. A pair is dead
// at its hard age, whatever its place; maxAge is that of the configuration.
func (s *saSet) expire(now time.Time, maxAge time.Duration) (gone []*saPair, switched bool) {
	return s.remove(now, func(p *saPair) bool {
		if p.over || now.Sub(p.established) >= p.hardAge(maxAge) {
			return true
		}
		if p.retires.IsZero() || now.Before(p.retires) {
			return false
		}
		p.retires = now.Add(retireGrace)
		return !p.inbound.used.Swap(false)
	})
}

// expiry is when expire has something to look at, zero if never.
func (s *saSet) expiry(maxAge time.Duration) (first time.Time) {
	for _, p := range s.pairs {
		first = earliest(first, p.retires, p.established.Add(p.hardAge(maxAge)))
	}
	return first
}

// outlive has the present pairs last up to an age at least.
func (s *saSet) outlive(age time.Duration) {
	for _, p := range s.pairs {
		p.lasts = max(p.lasts, age)
	}
}

// closed takes out p, on which the peer has said that it discards all its pairs,
// and those below it. The message may be late: a higher pair may be of the peer's
// next run.
func (s *saSet) closed(p *saPair, now time.Time) (gone []*saPair, switched bool) {
	return s.remove(now, func(q *saPair) bool { return !p.rank.below(q.rank) })
}

// end takes out p.
func (s *saSet) end(p *saPair, now time.Time) (gone []*saPair, switched bool) {
	return s.remove(now, func(q *saPair) bool { return p == q })
}

// remove takes out those pairs of which ends says so.
func (s *saSet) remove(now time.Time, ends func(*saPair) bool) (gone []*saPair, switched bool) {
	s.pairs = slices.DeleteFunc(s.pairs, func(p *saPair) bool {
		over := ends(p)
		if over {
			gone = append(gone, p)
		}
		return over
	})
	return gone, s.choose(now)
}

// clear empties the set and returns all that was in it.
func (s *saSet) clear() (gone []*saPair) {
	gone = s.pairs
	*s = saSet{}
	return gone
}

// find returns the pair that receives on the given SA, nil if it is gone.
func (s *saSet) find(in *inboundSA) *saPair {
	for _, p := range s.pairs {
		if p.inbound == in {
			return p
		}
	}
	return nil
}

// newest returns the highest pair of a complete handshake, nil if there is none.
func (s *saSet) newest() *saPair {
	for _, p := range slices.Backward(s.pairs) {
		if p.initiator || p.proven {
			return p
		}
	}
	return nil
}

// unconfirmed returns the pair that the peer should send on, as far as this end
// knows, and does not yet; nil if there is none.
func (s *saSet) unconfirmed() *saPair {
	if p := s.newest(); p != nil && !p.proven {
		return p
	}
	return nil
}
