package tunnel

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"fathom/crypto"
)

const (
	// tick is how often the control goroutine looks at its peers when nothing
	// happens and the alarm does not ring.
	tick = 250 * time.Millisecond
	// rekeyPause is the least age of an SA that is replaced, however few packets
	// it may carry and however many there are.
	rekeyPause = tick
	// warnEvery limits the warnings about one peer's, or all strangers',
	// handshakes, since the network can cause them.
	warnEvery = 30 * time.Second
)

// controller is the goroutine that decides: it has handshakes made, replaces
// SAs, follows peers that move, and watches whether they live. It owns the state
// of all peers; the packet loops see what it publishes through atomics.
type controller struct {
	log        *slog.Logger
	peers      []*peer
	events     *events
	handshaker *handshaker
	messenger  messenger
	forwarder  *forwarder // sends what waited for an SA
	lookups    *lookups
	lifetime   crypto.Lifetime
	spis       *spiTable
	drops      *drops
	host       hostMTUs
	keys       *keyLog
	endpoints  *endpointCache
	egress     chan struct{} // the host's interfaces or routes have changed
	alarm      *alarm
	strangers  limit // of warnings about strangers' handshakes
}

// run ends when ctx is done; it then tells the peers.
func (c *controller) run(ctx context.Context) {
	defer c.lookups.end()
	now := time.Now()
	for _, p := range c.peers {
		if !p.endpoint.IsZero() || len(p.candidates) > 0 {
			p.initiations.want(now)
		}
	}
	c.maintain(now)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			c.farewell()
			return
		case event := <-c.events.queue:
			event(c, time.Now())
		case <-c.egress:
			c.egressChanged(time.Now())
		case <-c.alarm.timer.C:
			c.alarm.rung()
			c.maintain(time.Now())
		case <-ticker.C:
			c.maintain(time.Now())
		}
	}
}

// maintain does for every peer what is due.
func (c *controller) maintain(now time.Time) {
	for _, p := range c.peers {
		c.maintainSAs(p, now)
		c.maintainLiveness(p, now)
		if p.initiations.due(now) {
			c.initiate(p, now)
		}
		c.forwarder.releaseWaiting(p, now)
		c.pollDiscovery(p, now)
		c.continueSounding(p, now)
		c.maintainKeepalive(p, now)
		c.schedule(p, now)
	}
}

// schedule sets the alarm to what is next due for a peer.
func (c *controller) schedule(p *peer, now time.Time) {
	if p.initiations.wanted {
		c.alarm.set(p.initiations.next, now)
	}
}

// maintainSAs takes out expired SAs and begins the rekey of the current pair
// in time. The end that initiated a pair replaces it; the other end does so
// when that is overdue.
func (c *controller) maintainSAs(p *peer, now time.Time) {
	if gone := p.sas.expire(now, c.lifetime.HardAge()); len(gone) > 0 {
		c.spis.remove(gone)
		if p.sas.current == nil && p.session.Load().ready() {
			c.lost(p, "SA expired", now)
		}
	}
	pair := p.sas.current
	if pair == nil {
		return
	}
	age := now.Sub(pair.established)
	if c.lifetime.Expired(age, pair.outbound.Packets()) {
		c.spis.remove(p.sas.clear())
		c.lost(p, "SA expired", now)
		return
	}
	if !pair.initiator {
		age -= c.lifetime.RekeyAge / 8
	}
	if age >= rekeyPause && c.lifetime.Rekey(age, pair.outbound.Packets()) && p.path != nil {
		p.initiations.want(now)
	}
	// The peer may still be sending on the former pair: it switches when it
	// sees the new one used, and its answer tells us that it has. After a move
	// it proves that the peer receives where it now is.
	if (!pair.inbound.used.Load() || !p.validated) && now.Sub(p.echo.sent) >= confirmEvery {
		c.messenger.echo(p, now)
	}
}

// maintainLiveness asks a silent peer for a sign of life and tries a
// handshake with one that gives none. The SAs stay: they may yet work.
func (c *controller) maintainLiveness(p *peer, now time.Time) {
	if p.sas.current == nil {
		return
	}
	was := p.liveness.silent()
	echo, dead := p.liveness.look(now, p.authentic.Load(), p.allSent())
	if dead && !was {
		c.log.Warn("peer does not answer", "peer", p.name)
		p.initiations.hurry(now)
	} else if was && !dead {
		c.log.Info("peer answers again", "peer", p.name)
	}
	if echo {
		c.messenger.echo(p, now)
	}
}

// maintainKeepalive keeps the mapping of a NAT on the path alive
// (RFC 3948 section 4): a single byte after a time without any packet.
func (c *controller) maintainKeepalive(p *peer, now time.Time) {
	to := p.path
	if p.keepalive == 0 || to == nil {
		return
	}
	if sent := p.allSent(); sent != p.lastSent {
		p.lastSent, p.quietSince = sent, now
	} else if now.Sub(p.quietSince) >= p.keepalive {
		p.quietSince = now
		c.messenger.keepalive(p)
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
	if p.path != nil || !p.endpoint.IsZero() {
		p.initiations.want(now)
		c.schedule(p, now)
	}
}

// move takes the peer to a new place. Only an authentic packet from there, or
// our own configuration, leads here.
func (c *controller) move(p *peer, to netip.AddrPort, local netip.Addr, now time.Time) {
	old := p.path
	if old != nil && old.Matches(to, local) {
		return
	}
	mtu, err := c.host.network.EgressMTU(to.Addr())
	if err != nil {
		c.log.Warn("no way to peer", "peer", p.name, "endpoint", to, "error", err)
		return
	}
	path := newPath(to, local)
	if old != nil && old.Remote() == to {
		// The same way back; only our own address on it is another.
		p.setPath(path.with(old.plpmtu, old.settled, mtu))
		if mtu != old.egress {
			p.discovery.EgressMTU(mtu, now)
		}
		c.pollDiscovery(p, now)
		return
	}
	p.validated = false
	p.setPath(path.with(0, mtu, mtu))
	p.beginDiscovery(now)
	c.applyPLPMTU(p)
	path = p.path
	c.log.Info("endpoint", "peer", p.name, "endpoint", to, "plpmtu", path.plpmtu, "inner_mtu", path.innerMTU)
	if err := c.endpoints.remember(p.public, to); err != nil {
		c.log.Debug("where the peer is was not saved", "error", err)
	}
	if p.up {
		c.messenger.echo(p, now) // the answer proves that the peer receives there
	}
}

// farewell tells every peer that its SAs are of no use any more.
func (c *controller) farewell() {
	for _, p := range c.peers {
		c.messenger.close(p)
		c.spis.remove(p.sas.clear())
		p.publish()
	}
}
