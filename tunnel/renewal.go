package tunnel

import "time"

const (
	// rekeyPause is the least age of an SA that is replaced, however few packets
	// it may carry and however many there are.
	rekeyPause = tick
	// confirmEvery is how often a new SA pair is tried until the peer is seen to
	// use it too.
	confirmEvery = time.Second
)

// rekeys reports whether the current pair is to be replaced when its time comes
// and its replacement is not under way.
func (p *peer) rekeys() bool { return p.path != nil && !p.initiations.wanted }

// confirmed reports whether the peer is known to use the current pair, and to
// receive where it is.
func (p *peer) confirmed() bool { return p.sas.current.inbound.used.Load() && p.validated }

// renewSAs takes out expired SAs and begins the rekey of the current pair in
// time. The end that initiated a pair replaces it; the other end does so when
// that is overdue.
func (c *controller) renewSAs(p *peer, now time.Time) {
	if gone := p.sas.expire(now, c.lifetime.HardAge()); len(gone) > 0 {
		c.spis.remove(gone)
		if p.sas.current == nil && p.up {
			c.lost(p, "SA expired", now)
		}
	}
	pair := p.sas.current
	if pair == nil {
		return
	}
	if c.lifetime.Expired(now.Sub(pair.established), pair.outbound.Packets()) {
		c.spis.remove(p.sas.clear())
		c.lost(p, "SA expired", now)
		return
	}
	if p.rekeys() && !now.Before(pair.rekeyAt(c.lifetime)) {
		p.initiations.want(now)
	}
	// The peer may still be sending on the former pair: it switches when it
	// sees the new one used, and its answer tells us that it has. After a move
	// it proves that the peer receives where it now is.
	if !p.confirmed() && now.Sub(p.echo.sent) >= confirmEvery {
		c.messenger.echo(p, now)
	}
}

// lost is the end of a peer's last SA.
func (c *controller) lost(p *peer, why string, now time.Time) {
	p.publish()
	p.up = false
	c.log.Warn("peer lost", "peer", p.name, "why", why)
	p.liveness.reset(now)
	p.discovery.Stop(now)
	p.validated = false
	if p.path != nil || len(p.endpoints) > 0 {
		p.initiations.want(now)
	}
}
