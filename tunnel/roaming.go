package tunnel

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"fathom/tunnel/control"
	"fathom/tunnel/host"
	"fathom/tunnel/paths"
)

// This file connects package paths, which decides by which pair of addresses a peer is
// sent to, with the network, of which it knows nothing. Its challenges become control
// messages, what arrives and what the host offers become inputs, and the result is
// published as the peer's path.

// The features that the ends name in a handshake.
const (
	// featurePaths: the end understands challenges of paths.
	featurePaths = 1 << iota
	// featureDecides: the end has several pairs of its own, and decides for both.
	featureDecides
)

// movesBurst moves of a peer at once, and one each warnEvery, are worth a line of the
// log each.
const movesBurst = 5

// origin says how an authentic packet has come.
type origin struct {
	from   netip.AddrPort
	local  netip.Addr // of ours
	bytes  int        // of the outer IP packet
	newest bool       // its sequence number was the highest so far
}

// knownWay is a pair that the host can send by, and how.
type knownWay struct {
	pair   paths.Pair
	egress host.Egress
}

// forgetPaths begins anew without pairs.
func (p *peer) forgetPaths() {
	p.paths = paths.New(paths.Config{Random: randomToken, Keepalive: p.config.Keepalive > 0})
}

func randomToken() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// features are what this end names in a handshake with the peer.
func (p *peer) features() uint64 {
	if p.decides {
		return featurePaths | featureDecides
	}
	return featurePaths
}

// pair returns that by which a packet has come. An address of ours that an uplink has
// tells the interface.
func (p *peer) pair(by origin) paths.Pair {
	pair := paths.Pair{Local: by.local, Remote: by.from}
	for i := range p.ways {
		if w := &p.ways[i]; w.Local == by.local {
			pair.Interface = w.By()
			break
		}
	}
	return pair
}

// pathBy returns the path by a pair, without sizes unless it is the one in use.
func (p *peer) pathBy(pair paths.Pair) *path {
	if p.path != nil && p.path.pair == pair {
		return p.path
	}
	source := pair.Local
	for i := range p.ways {
		if w := &p.ways[i]; w.By() == pair.Interface && w.Local == pair.Local {
			source = w.Source
			if w.By() == 0 {
				source = pair.Local
			}
			break
		}
	}
	return newPathBy(pair, source)
}

// admits reports whether the host can send by a pair that a packet has come by.
func (c *controller) admits(p *peer, pair paths.Pair, now time.Time) bool {
	if p.path != nil && p.path.pair == pair {
		return true
	}
	if p.refused.has(pair.Remote, now) {
		return false
	}
	e, err := c.egress(p.pathBy(pair).Destination)
	if err == nil {
		p.lastWay = knownWay{pair, e}
		return true
	}
	p.refused.add(pair.Remote, now) // every packet from there leads here
	if p.path == nil {
		c.noteWay(p, pair.Remote, err)
		return false
	}
	c.warn(p, &warning{what: "no way to where the peer is heard", cause: err, details: []any{"endpoint", pair.Remote}}, now)
	return false
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
}

// probing reports whether a message says nothing about where the peer is: all of it is
// challenges and responses (RFC 9000 section 9.1).
func probing(elements []control.Element) bool {
	return !slices.ContainsFunc(elements, func(e control.Element) bool {
		return e.Type != control.PathChallenge && e.Type != control.PathResponse
	})
}

// handshook takes in that a handshake has gone both ways by a pair.
func (c *controller) handshook(p *peer, by origin, roundTrip time.Duration, now time.Time) {
	pair := p.pair(by)
	if !c.admits(p, pair, now) {
		return
	}
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
	if !p.validated && !p.paths.Limited() {
		p.validate(0)
	}
}

// lookAtPaths sends the challenges and responses that are due.
func (c *controller) lookAtPaths(p *peer, now time.Time) {
	if p.sas.current == nil {
		return
	}
	p.actions = p.paths.Look(p.actions[:0], p.flow(), now)
	c.followPaths(p, now)
	for _, a := range p.actions {
		c.messenger.path(p, p.pathBy(a.Pair), a)
	}
}

// flow is what is known of the packets to and from a peer.
func (p *peer) flow() paths.Traffic {
	t := paths.Traffic{Sent: p.tx.packets.Load(), Received: p.rx.packets.Load(), Heard: p.authentic.Load()}
	t.Unanswered, t.Asked = p.discovery.Unanswered()
	t.SRTT, t.RTTVAR = p.discovery.RTT()
	return t
}

// remotes returns where the peer may be: its endpoints, in order, and where it is.
func (p *peer) remotes() (list []netip.AddrPort) {
	for _, at := range p.candidates {
		if at != p.remembered {
			list = append(list, at)
		}
	}
	return list
}

// countWays finds out whether this end has several pairs of its own.
func (c *controller) countWays(p *peer) {
	p.decides = len(c.host.network.Ways(netip.AddrPortFrom(c.listen, c.host.port), c.uplinks, p.remotes())) > 1
}

// offerWays tells the peer's paths what the host offers.
func (c *controller) offerWays(p *peer, now time.Time) {
	if !p.up || p.path == nil {
		return
	}
	remotes := p.remotes()
	if at := p.path.Remote(); !slices.Contains(remotes, at) {
		remotes = append(remotes, at)
	}
	p.ways = c.host.network.Ways(netip.AddrPortFrom(c.listen, c.host.port), c.uplinks, remotes)
	var offered []paths.Candidate
	for _, w := range p.ways {
		if !w.Local.IsValid() {
			continue
		}
		offered = append(offered, paths.Candidate{
			Pair: paths.Pair{Interface: w.By(), Local: w.Local, Remote: w.Remote},
			Cost: paths.Cost{Uplink: max(slices.Index(c.uplinks, w.Uplink), 0), Endpoint: slices.Index(remotes, w.Remote)},
		})
	}
	p.paths.Candidates(offered, now)
}

// followPaths makes the pair that is in use the path.
func (c *controller) followPaths(p *peer, now time.Time) {
	for {
		pair, ok := p.paths.Current()
		if !ok || p.path != nil && p.path.pair == pair {
			return
		}
		path, e, err := p.pathBy(pair), p.lastWay.egress, error(nil)
		if p.lastWay.pair != pair {
			e, err = c.egress(path.Destination)
		}
		if err == nil {
			c.move(p, path, e, now)
			return
		}
		if p.path == nil {
			c.noteWay(p, pair.Remote, err)
		}
		p.paths.Withdraw(func(q paths.Pair) bool { return q == pair }, now)
	}
}

// move takes the peer to a path.
func (c *controller) move(p *peer, path *path, e host.Egress, now time.Time) {
	old, to := p.path, path.Remote()
	c.noteWay(p, to, nil)
	path.deviceMTU, path.by = c.host.fixed, e.Interface
	if old != nil && old.Remote() == to && old.by == path.by {
		// The same way back; only our own address on it is another.
		p.setPath(path.with(old.plpmtu, old.settled, e.MTU))
		if e.MTU != old.egress {
			p.discovery.EgressMTU(e.MTU, now)
		}
		return
	}
	p.validated = !p.paths.Limited()
	c.places.move(p, to)
	p.setPath(path.with(0, e.MTU, e.MTU))
	p.beginDiscovery(now)
	c.applyPLPMTU(p)
	path = p.path
	level := slog.LevelDebug
	if p.moves.allow(now) {
		level = slog.LevelInfo
	}
	c.log.Log(context.Background(), level, "endpoint", "peer", p.name, "endpoint", to, "local", path.pair.Local, "plpmtu", path.plpmtu, "inner_mtu", path.innerMTU)
	c.endpoints.remember(p.public, to, now)
}
