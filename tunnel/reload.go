package tunnel

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/tunnel/paths"
)

// reload is what changes in a running tunnel: all of it, or nothing. Packet loops read
// the table of routes and the peers' sessions, which are replaced as they always are, so
// whatever has not changed goes on without a pause.
type reload struct {
	changes conf.Changes
	tunnel  conf.Tunnel // from now on
	peers   []conf.Peer // likewise, in the order of the file
	// added are those of the changes, ready to be called.
	added    []*peer
	identity *identity // nil: the key is as before
	suites   []uint16
	routes   *routes
}

// apply changes the tunnel. It belongs to the control goroutine. After an error nothing
// has changed.
func (r *reload) apply(c *controller, now time.Time) error {
	admitted, withdrawn := movesOf(c.peers, r.peers)
	for i, prefix := range admitted {
		if err := c.host.admit(prefix); err != nil {
			c.host.withdraw(admitted[:i+1])
			return err
		}
	}
	c.changeLifetime(crypto.Lifetime{RekeyAge: r.tunnel.RekeyAfter, RekeyPackets: r.tunnel.RekeyAfterPackets}, now)
	c.handshaker.suites = r.suites

	byName := make(map[string]*peer, len(c.peers))
	for _, p := range c.peers {
		byName[p.name] = p
	}
	for _, name := range r.changes.Removed {
		c.removePeer(byName[name], now)
		delete(byName, name)
	}
	for _, change := range r.changes.Changed {
		c.changePeer(byName[change.New.Name], change, now)
	}
	for _, p := range r.added {
		byName[p.name] = p
		c.endpoints.remind(p)
		c.beginPeer(p, now)
	}
	c.peers = make([]*peer, 0, len(r.peers))
	for _, p := range r.peers {
		c.peers = append(c.peers, byName[p.Name])
	}
	c.handshaker.know(c.peers)
	r.routes.replace(c.peers)
	c.host.withdraw(withdrawn)
	if len(admitted)+len(withdrawn) > 0 {
		c.host.regroup()
	}
	if r.identity != nil {
		c.handshaker.become(r.identity, c.peers)
		for _, p := range c.peers {
			if p.path != nil || len(p.endpoints) > 0 {
				p.initiations.hurry(now)
				c.agenda.set(&p.appointment, now)
			}
		}
	}
	for _, change := range r.changes.Changed {
		p := byName[change.New.Name]
		if p.path != nil && p.appliedHostMTU > 0 {
			c.host.describe(p) // a prefix may be new to it
		}
		c.agenda.set(&p.appointment, now)
	}
	c.port.settle(c.peers)
	return nil
}

// changeLifetime has all keys replaced by other limits from now on. Those that are too old
// by them are replaced soon, and used until then.
func (c *controller) changeLifetime(l crypto.Lifetime, now time.Time) {
	if l == c.lifetime {
		return
	}
	for _, p := range c.peers {
		p.sas.outlive(c.lifetime.HardAge())
		c.agenda.set(&p.appointment, now)
	}
	c.lifetime = l
}

// movesOf returns the prefixes that belong to a peer from now on, and those that belong
// to none any more.
func movesOf(old []*peer, next []conf.Peer) (admitted, withdrawn []netip.Prefix) {
	before, after := make(map[netip.Prefix]bool), make(map[netip.Prefix]bool)
	for _, p := range old {
		for _, prefix := range p.allowed {
			before[prefix] = true
		}
	}
	for _, p := range next {
		for _, prefix := range p.AllowedIPs {
			if after[prefix] = true; !before[prefix] {
				admitted = append(admitted, prefix)
			}
		}
	}
	for _, p := range old {
		for _, prefix := range p.allowed {
			if !after[prefix] {
				withdrawn = append(withdrawn, prefix)
			}
		}
	}
	return admitted, withdrawn
}

// removePeer ends all that concerns a peer. It is told, as at the end of the tunnel.
// Packet loops may have it in their hands for a moment yet; its mailbox is closed.
func (c *controller) removePeer(p *peer, now time.Time) {
	c.log.Info("peer removed", "peer", p.name)
	c.messenger.close(p)
	if run := p.probeRun; run != nil {
		run.done <- run.result(p, now)
		p.probeRun = nil
	}
	p.inquiries.end()
	if p.hopRun != nil {
		p.endHops(nil, errHopsEnded)
	}
	p.farHops.end(nil, errHopsEnded)
	p.farFacts.end(nil, &noPeerError{p.name})
	c.events.mailboxes.close(&p.mailbox)
	c.handshaker.forget(p.initiations.done())
	c.spis.remove(p.sas.clear())
	c.places.leave(p)
	c.host.forget(p)
	for _, key := range p.known() {
		c.endpoints.forget(key, now)
	}
	c.agenda.set(&p.appointment, time.Time{})
	maps.DeleteFunc(c.filtered, func(_ string, of *peer) bool { return of == p })
	p.removed, p.up = true, false
	p.unanswered = 0 // it wants no other port
	p.setPath(nil)
}

// changePeer makes the settings of a peer others.
func (c *controller) changePeer(p *peer, change conf.PeerChange, now time.Time) {
	c.log.Info("peer changed", "peer", p.name, "keys", change.Keys)
	next, changed := change.New, func(key string) bool { return slices.Contains(change.Keys, key) }
	p.config = next
	p.allowed, p.preshared = next.AllowedIPs, crypto.PresharedKey(next.PresharedKey)
	if changed("public_key") {
		c.changeKeys(p, keysOf(&next), now)
	}
	if changed("keepalive") {
		p.keepalive = keepalive{interval: next.Keepalive, sent: p.keepalive.sent, quiet: now}
		p.paths.Keepalive(next.Keepalive > 0)
	}
	if slices.ContainsFunc([]string{"probing", "plpmtu", "max_plpmtu", "min_plpmtu"}, changed) {
		c.restartDiscovery(p, now)
	}
	if changed("endpoint") {
		c.changeEndpoints(p, next.Endpoints, now)
	}
}

// changeKeys makes the peer's public keys others. If it has none of them any more, its SAs
// end: somebody may have its key.
func (c *controller) changeKeys(p *peer, keys []crypto.PublicKey, now time.Time) {
	for _, key := range p.keys {
		if !slices.Contains(keys, key) {
			c.endpoints.forget(key, now)
		}
	}
	p.keys = keys
	if slices.Contains(keys, p.public) {
		if p.path != nil {
			c.endpoints.remember(p.public, p.path.Remote(), now)
		}
		return
	}
	p.public = keys[0]
	c.handshaker.forget(p.initiations.abandon())
	c.spis.remove(p.sas.clear())
	if p.up {
		c.lost(p, "its public key is not in the configuration any more", now)
	}
}

// changeEndpoints makes the peer's endpoints others, and calls it there. Until it answers
// it is sent to where it is.
func (c *controller) changeEndpoints(p *peer, endpoints []conf.Endpoint, now time.Time) {
	p.endpoints, p.found, p.calls = endpoints, make([]found, len(endpoints)), nil
	if len(endpoints) > 0 && !p.named() {
		p.remembered = netip.AddrPort{}
	}
	p.choose()
	c.handshaker.forget(p.initiations.abandon())
	if len(endpoints) == 0 {
		return
	}
	p.leaves = true
	c.resolve(p)
	p.initiations.hurry(now)
	if p.path != nil && len(p.candidates) > 0 {
		p.initiations.attempts = 1 // the new place comes before the one where it is: nextEndpoint
	}
}

// leavePlaces takes note that a peer has answered at a place. If that is one of its new
// endpoints, none of the places is of use any more that have been configured, or found out,
// before: otherwise a peer that still answers there would stay there.
func (c *controller) leavePlaces(p *peer, at netip.AddrPort, now time.Time) {
	if !p.leaves || !slices.Contains(p.candidates, at) {
		return
	}
	p.leaves = false
	p.paths.Withdraw(func(q paths.Pair) bool { return !slices.Contains(p.candidates, q.Remote) }, now)
	c.followPaths(p, now)
}

// restartDiscovery finds the sizes of a peer's path out anew, by its present settings.
func (c *controller) restartDiscovery(p *peer, now time.Time) {
	old := p.discovery
	p.standbys.clear()
	p.discovery = p.standbys.begin(discoveryConfig(p.config), old)
	p.discovery.key, p.discovery.variants = old.key, old.variants
	if p.path == nil {
		return
	}
	path := *p.path
	path.number = p.discovery.number
	p.path = path.with(0, path.egress, path.egress)
	p.beginDiscovery(now)
	if rtt, _ := old.RTT(); rtt > 0 {
		p.discovery.SeedRTT(rtt)
	}
	c.applyPLPMTU(p)
}

// suitesOf returns the cipher suites of a configuration.
func suitesOf(c *conf.Tunnel) (suites []uint16, err error) {
	for _, name := range c.Ciphers {
		suite, err := esp.ParseSuite(name)
		if err != nil {
			return nil, err
		}
		suites = append(suites, uint16(suite))
	}
	return suites, nil
}
