package tunnel

import (
	"fmt"
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

// remotes returns where the peer may be: its endpoints, in order.
func (p *peer) remotes() (list []netip.AddrPort) {
	for _, at := range p.candidates {
		if at != p.remembered {
			list = append(list, at)
		}
	}
	return list
}

// pairOf returns the pair that a way of the host's is.
func pairOf(w *host.Way) paths.Pair {
	return paths.Pair{Interface: w.By(), Local: w.Local, Remote: w.Remote}
}

// waysTo asks the host for the ways to some places.
func (c *controller) waysTo(remotes []netip.AddrPort) []host.Way {
	return c.host.network.Ways(netip.AddrPortFrom(c.listen, c.host.port), c.uplinks, remotes)
}

// countWays finds out whether this end has several pairs of its own. A peer without an
// endpoint is at the given place.
func (c *controller) countWays(p *peer, at netip.AddrPort) {
	remotes := p.remotes()
	if len(remotes) == 0 {
		remotes = []netip.AddrPort{at}
	}
	p.decides = len(c.waysTo(remotes)) > 1
}

// lookForWays asks the host for the ways to the peer's endpoints, in order, to where it
// is, and to a place that it was heard at. It returns them all.
func (c *controller) lookForWays(p *peer, also netip.AddrPort) (remotes []netip.AddrPort) {
	remotes = p.remotes()
	add := func(at netip.AddrPort) {
		if at.IsValid() && !slices.Contains(remotes, at) {
			remotes = append(remotes, at)
		}
	}
	if p.path != nil {
		add(p.path.Remote())
	}
	add(also)
	p.ways = c.waysTo(remotes)
	p.uplinkNames.learn(p.ways)
	if len(c.uplinks) > 0 {
		c.warnOfFilter(p.ways)
	}
	return remotes
}

// warnOfFilter tells of each uplink on which the host drops what comes back from a peer,
// once until it does not any more.
func (c *controller) warnOfFilter(ways []host.Way) {
	drops := c.host.network.ReversePathDrops(ways)
	for _, uplink := range c.uplinks {
		was := slices.Contains(c.filtered, uplink)
		switch is := slices.Contains(drops, uplink); {
		case is && !was:
			c.filtered = append(c.filtered, uplink)
			c.log.Warn("rp_filter drops what peers send to an uplink", "uplink", uplink,
				"hint", fmt.Sprintf("sysctl net.ipv4.conf.%s.rp_filter=2, or rules by which answers leave by the uplink that has their source address", uplink))
		case was && !is && slices.ContainsFunc(ways, func(w host.Way) bool { return w.Uplink == uplink }):
			c.filtered = slices.DeleteFunc(c.filtered, func(name string) bool { return name == uplink })
		}
	}
}

// by returns the path by which a datagram of the peer's has come, or is answered. Where
// there are uplinks, an address of ours alone does not say by which of them an answer
// leaves.
func (c *controller) by(p *peer, o origin) *path {
	if len(c.uplinks) > 0 && !slices.ContainsFunc(p.ways, func(w host.Way) bool { return w.Remote == o.from }) {
		c.lookForWays(p, o.from)
	}
	return p.pathBy(p.pair(o))
}

// offerWays tells the peer's paths what the host offers.
func (c *controller) offerWays(p *peer, now time.Time) {
	if !p.up || p.path == nil {
		return
	}
	remotes := c.lookForWays(p, netip.AddrPort{})
	var offered []paths.Candidate
	for _, w := range p.ways {
		offered = append(offered, paths.Candidate{
			Pair: pairOf(&w),
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

// egressOf returns the way out of the host by a pair, if the host has just been asked or
// offers it.
func (p *peer) egressOf(pair paths.Pair) (e host.Egress, known bool) {
	if p.lastWay.pair == pair {
		return p.lastWay.egress, true
	}
	for i := range p.ways {
		if w := &p.ways[i]; pairOf(w) == pair {
			return w.Egress, true
		}
	}
	return host.Egress{}, false
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
