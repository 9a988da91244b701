package tunnel

import (
	"net/netip"
	"time"

	"fathom/conf"
	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/status"
)

// This file connects package pmtud, which decides, with the network, of which it
// knows nothing. Probes and report requests become control messages, ICMP and the
// kernel's refusals become inputs, and the result is published as the peer's path.

// discoveryConfig returns the settings of a peer's discovery.
func discoveryConfig(c conf.Peer) pmtud.Config {
	switch {
	case c.PLPMTU > 0:
		return pmtud.Config{Mode: pmtud.Off, MaxPLPMTU: c.PLPMTU}
	case c.Probing == conf.ProbingOff:
		return pmtud.Config{Mode: pmtud.Off}
	}
	d := pmtud.Config{MaxPLPMTU: c.MaxPLPMTU, MinPLPMTU: c.MinPLPMTU}
	if c.Probing == conf.ProbingSequential {
		d.Mode = pmtud.Sequential
	}
	return d
}

// changePath makes another path the one in use, without sizes as yet. What is known of
// it applies at once, and to the first packet: it is published together with the path.
func (p *peer) changePath(path *path, egress int, now time.Time) {
	old, key := p.path, pathKey{path.by, path.Remote()}
	if old == nil || !p.up { // there is nothing to go back to
		p.discovery.key, path.number = key, p.discovery.number
		p.path = path.with(0, egress, egress)
		p.beginDiscovery(now)
		return
	}
	next := p.standbys.take(key)
	switch {
	case next == nil:
		next = p.standbys.begin(discoveryConfig(p.config), p.discovery)
		next.key = key
		next.StandBy()
		next.NewEndpoint(pmtud.Endpoint{IPv6: path.IPv6(), EgressMTU: egress}, now)
	case next.last.egress != egress:
		next.EgressMTU(egress, now)
	}
	next.Replace(p.discovery.Discovery, p.paths.SRTT(path.pair), now)
	p.discovery.last = old.proved()
	p.standbys.put(p.discovery)
	p.discovery = next
	path.number, path.heldMTU, p.heldUntil = next.number, old.hostMTU, now.Add(holdHostMTU)
	p.setPath(path.with(next.PLPMTU(), next.settledOr(egress), egress))
}

// holdHostMTU is how long after a switch hosts hear of no larger size. Of a smaller one
// they hear at once: what they send must be cut or carried in pieces until they do. The
// larger one has no hurry, since a pair that fails within a minute will do so again
// (package paths): if each switch moved the size, every failure of a flapping uplink
// would send PTBs to the hosts, which keep what they say for ten minutes.
const holdHostMTU = time.Minute

// releaseHostMTU ends that.
func (p *peer) releaseHostMTU(now time.Time) {
	if p.heldUntil.IsZero() || now.Before(p.heldUntil) {
		return
	}
	p.heldUntil = time.Time{}
	if path := p.path; path != nil && path.heldMTU > 0 {
		free := *path
		free.heldMTU = 0
		p.setPath(free.with(path.plpmtu, path.settled, path.egress))
	}
}

// measures reports whether the sizes of paths are found out by probes.
func (p *peer) measures() bool { return discoveryConfig(p.config).Mode != pmtud.Off }

// beginDiscovery starts anew on a path: its first SA, or a new endpoint.
func (p *peer) beginDiscovery(now time.Time) {
	path := p.path
	if path == nil {
		return
	}
	p.standbys.clear()
	p.discovery.NewEndpoint(pmtud.Endpoint{IPv6: path.IPv6(), EgressMTU: path.egress}, now)
	if pair := p.sas.current; pair != nil {
		p.discovery.NewSA(&pair.outbound.sizes)
	}
}

// probes reports whether the path may be probed: the peer has proved that it
// receives there.
func (p *peer) probes() bool { return p.provedHere() && p.sas.current != nil }

// pollDiscovery sends the discovery's due messages and applies its result.
func (c *controller) pollDiscovery(p *peer, now time.Time) {
	p.releaseHostMTU(now)
	if p.probes() {
		p.discovery.Doubt(p.paths.InDoubt(now))
		p.discovery.poll(now, c.messenger.to(p))
	}
	c.applyPLPMTU(p)
}

// applyPLPMTU publishes the PLPMTU. From the next packet on it is observed.
func (c *controller) applyPLPMTU(p *peer) {
	path := p.path
	if path == nil {
		return
	}
	plpmtu, settled := p.discovery.PLPMTU(), path.settled
	if p.discovery.Settled() {
		settled = plpmtu
	}
	if plpmtu != path.plpmtu || settled != path.settled {
		path = path.with(plpmtu, settled, path.egress)
		p.setPath(path)
		c.log.Debug("plpmtu", "peer", p.name, "plpmtu", path.plpmtu, "inner_mtu", path.innerMTU, "host_mtu", path.hostMTU)
	}
	if path.hostMTU != p.appliedHostMTU {
		c.host.apply(p)
	}
}

// handleReport takes in a receive report of the peer. A report about a replaced SA
// is ignored: it speaks of other numbers. So is one that was asked for by another path.
func (p *peer) handleReport(e control.Element, now time.Time) {
	var words [control.MaxReportWords]uint64
	spi, highest, bits := e.Report(words[:0])
	if pair := p.sas.current; pair != nil && pair.outbound.SPI() == spi {
		p.discovery.report(e.Token(), highest, bits, now)
	}
}

// handlePTB takes in a PTB about a packet to a place. It concerns the path by which the
// quoted packet was sent, or if that is not known all paths that lead there.
func (p *peer) handlePTB(to netip.AddrPort, mtu int, spi, seq uint32, now time.Time) {
	pair := p.sas.current
	if pair == nil {
		return
	}
	ptb := pmtud.PTB{MTU: mtu}
	if pair.outbound.SPI() == spi {
		var number uint16
		if ptb.Size, number = pair.outbound.sizes.Sent(seq); ptb.Size > 0 {
			ptb.Validated, ptb.Sequence = true, seq
			if d := p.discoveryNumbered(number); d != nil {
				d.PTB(ptb, now)
			}
			return
		}
	}
	if p.path.Remote() == to {
		p.discovery.PTB(ptb, now)
	}
	for _, d := range p.standbys.all {
		if d.key.remote == to {
			d.PTB(ptb, now)
		}
	}
}

// discoveryStatus fills in what `fathom status` shows.
func (p *peer) discoveryStatus(now time.Time) status.PMTUD {
	counts := p.standbys.counts
	s := status.PMTUD{
		State:       p.discovery.State().String(),
		Source:      "discovery",
		LossPercent: 100 * p.discovery.Loss(),
		FalseAlarms: int(counts.FalseAlarms),
		ClearsDF:    p.discovery.ClearsDF(),
		Counts: status.PMTUDCounts{Probes: counts.Probes, Acked: counts.Acked, BlackHoles: counts.BlackHoles,
			PTBsBelieved: counts.PTBsBelieved, PTBsRefused: counts.PTBsRefused},
		History: []status.PLPMTUChange{},
	}
	if p.config.PLPMTU > 0 {
		s.Source = "configuration"
	} else if p.config.Probing == conf.ProbingOff {
		s.Source = "egress"
	}
	if path := p.path; path != nil {
		s.PLPMTU, s.InnerMTU, s.HostMTU, s.EgressMTU = path.plpmtu, path.innerMTU, path.hostMTU, path.egress
	}
	for _, e := range p.discovery.History() {
		s.History = append(s.History, status.PLPMTUChange{At: onTheWall(e.At, now), From: e.From, To: e.To, Cause: e.Cause.String()})
	}
	return s
}
