package tunnel

import (
	"errors"
	"net/netip"
	"time"

	"fathom/tunnel/host"
)

// refusedFor is how long a place to which there was no way is not looked up again.
const refusedFor = time.Second

// move takes the peer to a new place. Only an authentic packet from there, or
// our own configuration, leads here.
func (c *controller) move(p *peer, to netip.AddrPort, local netip.Addr, now time.Time) {
	old := p.path
	if old != nil && old.Matches(to, local) || p.refused.place == to && now.Before(p.refused.until) {
		return
	}
	mtu, err := c.egressMTU(to, local)
	if err != nil {
		if old == nil {
			c.noteWay(p, to, err)
			return
		}
		// Every packet from there leads here.
		p.refused.place, p.refused.until = to, now.Add(refusedFor)
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
	if err := c.endpoints.remember(p.public, to); err != nil {
		c.log.Debug("cannot save the peer's endpoint", "error", err)
	}
	if p.up {
		c.messenger.echo(p, now) // the answer proves that the peer receives there
	}
}

// egressMTU asks the host for the way to an endpoint from an address of ours,
// which may be invalid, and returns its MTU.
func (c *controller) egressMTU(to netip.AddrPort, local netip.Addr) (int, error) {
	e, err := c.host.network.Egress(host.Flow{Remote: to, Local: netip.AddrPortFrom(local, c.host.port)})
	return e.MTU, err
}

// noteWay takes note of why the host cannot send to the peer; nil: it can. A
// change is told once. While the reason is a loop the peer has no session.
func (c *controller) noteWay(p *peer, to netip.AddrPort, err error) {
	was, looped := p.noWay, p.looped()
	p.noWay = err
	switch {
	case err == nil && was != nil:
		c.log.Info("there is a way to the peer again", "peer", p.name, "endpoint", to)
	case err != nil && was == nil, err != nil && p.looped() != looped:
		c.log.Warn("no way to peer", "peer", p.name, "endpoint", to, "error", err)
	}
	if p.looped() != looped {
		p.publish()
	}
}

// looped reports whether packets to the peer would enter the tunnel again.
func (p *peer) looped() bool { return errors.Is(p.noWay, host.ErrLoop) }

// wouldLoop reports whether a handshake message to an endpoint of a peer would enter
// the tunnel, and takes note of that. Another error is the kernel's to tell, when the
// message is sent: an endpoint's name may have addresses of a family that the
// host has no route for.
func (c *controller) wouldLoop(p *peer, path *path) bool {
	_, err := c.egressMTU(path.Remote(), path.Local())
	loops := errors.Is(err, host.ErrLoop)
	if p.path == path || p.path == nil && loops {
		c.noteWay(p, path.Remote(), err)
	}
	return loops
}

// egressChanged puts back rules that somebody has removed, and looks at the ways to
// the peers again.
func (c *controller) egressChanged(now time.Time) {
	if n, err := c.host.network.RestoreRules(); err != nil {
		c.log.Error("rules of the default route", "error", err)
	} else if n > 0 {
		c.log.Warn("rules of the default route were gone and are back", "rules", n)
	}
	c.host.lookAround()
	for _, p := range c.peers {
		path := p.path
		if path == nil {
			if p.looped() && p.initiations.wanted {
				p.initiations.hurry(now)
				c.attend(p, now)
			}
			continue
		}
		looped := p.looped()
		mtu, err := c.egressMTU(path.Remote(), path.Local())
		c.noteWay(p, path.Remote(), err)
		if err != nil || mtu == path.egress && !looped {
			continue // without a way there will be another change
		}
		if mtu != path.egress {
			c.log.Info("egress MTU", "peer", p.name, "from", path.egress, "to", mtu)
			p.setPath(path.with(path.plpmtu, path.settled, mtu))
			p.discovery.EgressMTU(mtu, now)
		}
		c.attend(p, now)
	}
}
