package tunnel

import (
	"net/netip"
	"slices"
	"time"

	"fathom/tunnel/control"
	"fathom/tunnel/paths"
)

// This file tells package paths what has arrived, and by which pair.

// origin says how a packet has come.
type origin struct {
	from   netip.AddrPort
	local  netip.Addr // of ours
	index  int        // of the interface that it came in by; 0: not told
	bytes  int        // of the outer IP packet
	newest bool       // its sequence number was the highest so far
}

// pair returns that by which a packet has come. An address of ours that an uplink has
// tells the interface. What came by an uplink that the host has lost since is of that one
// still: its address would lead by another.
func (p *peer) pair(by origin) paths.Pair {
	pair := paths.Pair{Local: by.local, Remote: by.from}
	for i := range p.ways {
		if w := &p.ways[i]; w.Local == by.local {
			pair.Interface = w.By()
			return pair
		}
	}
	if _, uplink := p.uplinkNames[by.index]; uplink && !p.offers(by.index) {
		pair.Interface = by.index
	}
	return pair
}

// arrived takes in that an authentic packet has come. moves says that it tells where
// the peer is.
func (c *controller) arrived(p *peer, by origin, moves bool, now time.Time) {
	pair := p.pair(by)
	if !c.admits(p, pair, now) {
		return
	}
	p.paths.Arrived(pair, by.bytes, moves, now)
	c.followPaths(p, now)
	if moves && p.provedHere() && p.path.pair == pair {
		p.provedAt = by.from
	}
}

// probing reports whether a message says nothing about where the peer is: all of it is
// challenges and responses (RFC 9000 section 9.1). A peer that knows none answers an echo
// in the place of a challenge.
func (p *peer) probing(elements []control.Element) bool {
	return !slices.ContainsFunc(elements, func(e control.Element) bool {
		switch e.Type {
		case control.PathChallenge, control.PathResponse:
			return false
		case control.EchoReply:
			return p.echo.awaits(e.Token())
		}
		return true
	})
}

// handshook takes in that a handshake has gone both ways by a pair.
func (c *controller) handshook(p *peer, by origin, roundTrip time.Duration, now time.Time) {
	pair := c.by(p, by).pair
	if !c.admits(p, pair, now) {
		return
	}
	p.provedAt = by.from
	p.paths.Established(pair, roundTrip, now)
	c.followPaths(p, now)
}

// challenged takes in a challenge of the peer's. The response leaves with lookAtPaths.
func (c *controller) challenged(p *peer, by origin, challenge paths.Challenge, now time.Time) {
	pair := p.pair(by)
	if !c.admits(p, pair, now) {
		return
	}
	p.paths.Challenge(pair, challenge, now)
	c.followPaths(p, now)
}

// responded takes in the answer to a challenge of ours.
func (c *controller) responded(p *peer, token uint64, generation uint32, now time.Time) {
	p.paths.Response(token, generation, now)
	c.followPaths(p, now)
}
