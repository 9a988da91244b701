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

// knownWays are the pairs that the peer was heard by last, beside those that the host
// offers. The zero value is empty; owned by the control goroutine.
type knownWays struct {
	ways []knownWay
	next int // the entry that the next one replaces, when there are maxKnownWays
}

const maxKnownWays = 8

func (k *knownWays) add(way knownWay) {
	if len(k.ways) < maxKnownWays {
		k.ways = append(k.ways, way)
		return
	}
	k.ways[k.next] = way
	k.next = (k.next + 1) % maxKnownWays
}

const (
	// askedEvery, and askedAtOnce at once, bounds how often the host is asked for the way
	// by which one peer was heard: whoever forwards its packets can name any number of
	// places. Of no more than that are challenged (package paths).
	askedEvery  = 100 * time.Millisecond
	askedAtOnce = 16
)

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
// is or was last proved to be, and to another place. It returns them all.
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
	add(p.provedAt) // while the host had no way there, another place may have come into use
	add(also)
	p.ways = c.waysTo(remotes)
	p.keepAddress()
	p.uplinkNames.learn(p.ways)
	if len(c.uplinks) > 0 {
		c.warnOfFilter(p)
	}
	return remotes
}

// kernelChoice is the address of ours that the kernel chooses towards the peer, as it was
// when a pair came into use.
type kernelChoice struct {
	with    paths.Pair
	address netip.Addr
}

// keepAddress has our address on the path in use stay, by which the peer may have called
// us, though the kernel would choose another one of the same interface: they are one way
// to the peer. The kernel's choice counts once it is another.
func (p *peer) keepAddress() {
	path := p.path
	if inUse, ok := p.paths.Current(); path == nil || !ok || inUse != path.pair {
		return // the host may have lost the address
	}
	for i := range p.ways {
		w := &p.ways[i]
		if w.By() != 0 || w.Remote != path.Remote() || w.Interface != path.by {
			continue
		}
		if p.chosen.with != path.pair {
			p.chosen = kernelChoice{path.pair, w.Local}
		}
		if w.Local == p.chosen.address {
			w.Local = path.pair.Local
		}
	}
}

// warnOfFilter tells of each uplink on which the host drops what comes back from a peer,
// once until the peer that it was told for finds that it does not any more: another peer
// may have another route, by which nothing is dropped.
func (c *controller) warnOfFilter(p *peer) {
	drops := c.host.network.ReversePathDrops(p.ways)
	for _, uplink := range c.uplinks {
		of := c.filtered[uplink]
		switch is := slices.Contains(drops, uplink); {
		case is && of == nil:
			if c.filtered == nil {
				c.filtered = make(map[string]*peer)
			}
			c.filtered[uplink] = p
			c.log.Warn("rp_filter drops what peers send to an uplink", "uplink", uplink,
				"hint", fmt.Sprintf("sysctl net.ipv4.conf.%s.rp_filter=2, or rules by which answers leave by the uplink that has their source address", uplink))
		case !is && of == p && slices.ContainsFunc(p.ways, func(w host.Way) bool { return w.Uplink == uplink }):
			delete(c.filtered, uplink)
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
	if i := slices.IndexFunc(p.ways, func(w host.Way) bool { return w.By() != 0 && w.By() == pair.Interface && w.Local == pair.Local }); i >= 0 {
		source = p.ways[i].Source
	}
	return newPathBy(pair, source)
}

// egressOf returns the way out of the host by a pair, if the host has just been asked or
// offers it.
func (p *peer) egressOf(pair paths.Pair) (e host.Egress, known bool) {
	for i := range p.admitted.ways {
		if known := &p.admitted.ways[i]; known.pair == pair {
			return known.egress, true
		}
	}
	for i := range p.ways {
		if w := &p.ways[i]; pairOf(w) == pair {
			return w.Egress, true
		}
	}
	return host.Egress{}, false
}

// offers reports whether the host has a way to the peer by an interface that is told to
// the kernel.
func (p *peer) offers(index int) bool {
	return slices.ContainsFunc(p.ways, func(w host.Way) bool { return w.By() == index })
}

// admits reports whether the host can send by a pair that a packet has come by.
func (c *controller) admits(p *peer, pair paths.Pair, now time.Time) bool {
	if p.path != nil && p.path.pair == pair {
		return true
	}
	if pair.Interface != 0 && !p.offers(pair.Interface) {
		return false // of an uplink that the host has lost
	}
	if _, known := p.egressOf(pair); known {
		return true
	}
	if p.refused.has(pair.Remote, now) || !p.asked.allow(now) {
		return false
	}
	e, err := c.egress(p.pathBy(pair).Destination)
	if err == nil {
		p.admitted.add(knownWay{pair, e})
		return true
	}
	p.refused.add(pair.Remote, now) // every packet from there leads here
	if p.path == nil {
		c.noteWay(p, pair.Remote, err, now)
		return false
	}
	c.warn(p, &warning{what: "no way to where the peer is heard", cause: err, details: []any{"endpoint", pair.Remote}}, now)
	return false
}
