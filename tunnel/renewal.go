package tunnel

import (
	"time"

	"fathom/crypto"
	"fathom/tunnel/status"
)

// rekeyPause is the least age of an SA that is replaced, however few packets it may
// carry and however many there are.
const rekeyPause = tick

// rekeys reports whether the newest pair is to be replaced when its time comes
// and its replacement is not under way.
func (p *peer) rekeys() bool { return p.path != nil && !p.initiations.wanted }

// renewSAs takes out expired SAs and begins the rekey of the newest pair in
// time. The end that initiated a pair replaces it; the other end does so when
// that is overdue.
func (c *controller) renewSAs(p *peer, now time.Time) {
	gone, switched := p.sas.expire(now, c.lifetime.HardAge())
	if pair := p.sas.current; pair != nil && crypto.Spent(pair.outbound.Packets()) {
		spent, _ := p.sas.end(pair, now)
		gone, switched = append(gone, spent...), true
	}
	if len(gone) > 0 {
		c.spis.remove(gone)
	}
	if switched {
		c.follow(p, "SA expired", now)
	}
	if p.sas.current == nil {
		return
	}
	if p.rekeys() && !now.Before(p.sas.newest().rekeyAt(c.lifetime)) {
		p.initiations.want(now)
	}
	c.confirm(p, now)
}

// follow acts on another pair in the place of the current one, or on none.
func (c *controller) follow(p *peer, why string, now time.Time) {
	if p.sas.current != nil {
		c.established(p, now)
	} else if p.up {
		c.lost(p, why, now)
	}
}

// lost is the end of a peer's last SA.
func (c *controller) lost(p *peer, why string, now time.Time) {
	p.publish()
	p.up, p.lostWhy = false, why
	p.attempts.end()
	if why == closedByPeer {
		p.attempts.fails(status.ReasonClosed, "the peer has ended its tunnel", now)
	}
	c.log.Warn("peer lost", "peer", p.name, "why", why)
	p.liveness.reset(now)
	p.discovery.Stop(now)
	p.standbys.clear()
	p.forgetPaths()
	if p.path != nil || len(p.endpoints) > 0 {
		p.initiations.want(now)
	}
}
