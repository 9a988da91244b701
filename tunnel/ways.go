package tunnel

import (
	"net/netip"
	"slices"
	"time"

	"fathom/tunnel/host"
	"fathom/tunnel/paths"
)

// This file tells package paths by which pairs the host can send to a peer.

// knownWay is a pair that the host can send by, and how.
type knownWay struct {
	pair   paths.Pair
	egress host.Egress
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
	p.uplinkNames.learn(p.ways)
	var offered []paths.Candidate
	for _, w := range p.ways {
		offered = append(offered, paths.Candidate{
			Pair: paths.Pair{Interface: w.By(), Local: w.Local, Remote: w.Remote},
			Cost: paths.Cost{Uplink: max(slices.Index(c.uplinks, w.Uplink), 0), Endpoint: slices.Index(remotes, w.Remote)},
		})
	}
	p.paths.Candidates(offered, now)
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
