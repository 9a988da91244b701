package tunnel

import (
	"io"
	"net/netip"
	"slices"
	"time"

	"fathom/crypto"
	"fathom/tunnel/paths"
)

// candidateGap is how long one of several candidates has to answer before the next is
// called as well: the first that answers is taken. It is the Connection Attempt Delay
// that RFC 8305 section 5 recommends.
const candidateGap = 250 * time.Millisecond

// maxCalls bounds the paths of a round, so that it ends within a few seconds.
const maxCalls = 16

// planCalls finds out by which paths the peer is called in the round that begins, where
// the configuration names uplinks: first those by which it was reached, the one in use
// before the others, then by each uplink to each of its places. If no uplink leads
// there, the kernel chooses. A place that was never proved is not called.
func (c *controller) planCalls(p *peer, now time.Time) {
	p.calls = p.calls[:0]
	if len(c.uplinks) == 0 {
		return
	}
	c.lookForWays(p, p.remembered)
	add := func(pair paths.Pair) {
		known := slices.ContainsFunc(p.calls, func(q *path) bool { return q.pair == pair })
		if !known && len(p.calls) < maxCalls {
			p.calls = append(p.calls, p.pathBy(pair))
		}
	}
	for _, pair := range p.paths.Order(nil, now) {
		add(pair)
	}
	for i := range p.ways {
		if at := p.ways[i].Remote; at == p.calledAt() || slices.Contains(p.candidates, at) {
			add(pairOf(&p.ways[i]))
		}
	}
}

// calledAt returns where the peer is called beside its endpoints: where it is, or if it
// has not proved to be there where it last was. Only a peer that was nowhere else is called
// at a place that was never proved: it could not be called at all. It is invalid while the
// peer was nowhere.
func (p *peer) calledAt() netip.AddrPort {
	switch {
	case p.path == nil:
		return netip.AddrPort{}
	case p.provedHere() || !p.provedAt.IsValid():
		return p.path.Remote()
	}
	return p.provedAt
}

// callsInRound returns how many paths nextEndpoint goes round: all places, by each uplink.
func (p *peer) callsInRound() int {
	if n := len(p.calls); n > 0 {
		return n
	}
	if p.path != nil {
		return len(p.candidates) + 1
	}
	return len(p.candidates)
}

// elsewhere reports whether one of them is another than the first.
func (p *peer) elsewhere() bool {
	if len(p.calls) == 0 && len(p.candidates) == 1 && p.path != nil {
		return p.candidates[0] != p.calledAt()
	}
	return p.callsInRound() > 1
}

// nextEndpoint returns where the next initiation goes: to the peer's last proved place,
// in turn with the addresses of its configured endpoints. Where there are uplinks it
// goes by each of them.
func (p *peer) nextEndpoint() *path {
	if n := len(p.calls); n > 0 {
		return p.calls[p.initiations.attempts%n]
	}
	known := p.path
	if at := p.calledAt(); known != nil && at != known.Remote() {
		known = newPath(at, netip.Addr{})
	}
	endpoints := p.callsInRound()
	if endpoints == 0 {
		return nil
	}
	i := p.initiations.attempts % endpoints
	if known != nil {
		if i == 0 {
			if p.initiations.attempts/endpoints%2 == 1 {
				// The address that it knows us by may belong to an uplink that
				// is not in use any more: the kernel chooses another.
				return newPath(known.Remote(), netip.Addr{})
			}
			return known
		}
		i--
	}
	return newPath(p.candidates[i], netip.Addr{})
}

// initiationWait is how long the next initiation waits for an answer before the one
// after it. In the first round each of several places is called soon after the one
// before; from then on they are called as a single one is.
func (p *peer) initiationWait(random io.Reader) time.Duration {
	attempt := p.initiations.attempts
	if p.elsewhere() {
		last := p.callsInRound() - 1
		if attempt < last {
			return candidateGap
		}
		attempt -= last
	}
	if len(p.endpoints) == 0 {
		// It is called where it was last heard. As long as it is off line, or
		// elsewhere, that leads nowhere, and when it is back it calls.
		return crypto.RetryRarely(attempt, random)
	}
	return crypto.RetryAfter(attempt, random)
}
