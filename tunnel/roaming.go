package tunnel

import (
	"net/netip"
	"time"
)

// move takes the peer to a new place. Only an authentic packet from there, or
// our own configuration, leads here.
func (c *controller) move(p *peer, to netip.AddrPort, local netip.Addr, now time.Time) {
	old := p.path
	if old != nil && old.Matches(to, local) || p.refused.has(to, now) {
		return
	}
	mtu, err := c.egressMTU(to, local)
	if err != nil {
		p.refused.add(to, now) // every packet from there leads here
		if old == nil {
			c.noteWay(p, to, err)
			return
		}
		c.warn(p, &warning{what: "no way to where the peer has moved", cause: err, details: []any{"endpoint", to}}, now)
		return
	}
	c.noteWay(p, to, nil)
	path := newPath(to, local)
	path.deviceMTU = c.host.fixed
	if old != nil && old.Remote() == to {
		// The same way back; only our own address on it is another.
		p.setPath(path.with(old.plpmtu, old.settled, mtu))
		if mtu != old.egress {
			p.discovery.EgressMTU(mtu, now)
		}
		return
	}
	p.validated = false
	c.places.move(p, to)
	p.setPath(path.with(0, mtu, mtu))
	p.beginDiscovery(now)
	c.applyPLPMTU(p)
	path = p.path
	c.log.Info("endpoint", "peer", p.name, "endpoint", to, "plpmtu", path.plpmtu, "inner_mtu", path.innerMTU)
	c.endpoints.remember(p.public, to, now)
	if p.up {
		c.messenger.echo(p, now) // the answer proves that the peer receives there
	}
}
