package tunnel

import (
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

// beginDiscovery starts anew on a path: its first SA, or a new endpoint.
func (p *peer) beginDiscovery(now time.Time) {
	path := p.path
	if path == nil {
		return
	}
	p.discovery.NewEndpoint(pmtud.Endpoint{IPv6: path.IPv6(), EgressMTU: path.egress}, now)
	if pair := p.sas.current; pair != nil {
		p.discovery.NewSA(&pair.outbound.sizes)
	}
}

// probes reports whether the path may be probed: the peer has proved that it
// receives there.
func (p *peer) probes() bool { return p.validated && p.sas.current != nil }

// pollDiscovery sends the discovery's due messages and applies its result.
func (c *controller) pollDiscovery(p *peer, now time.Time) {
	if p.probes() {
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
// is ignored: it speaks of other numbers.
func (p *peer) handleReport(e control.Element, now time.Time) {
	var words [control.MaxReportWords]uint64
	spi, highest, bits := e.Report(words[:0])
	if pair := p.sas.current; pair != nil && pair.outbound.SPI() == spi {
		p.discovery.Report(e.Token(), highest, bits, now)
	}
}

func (p *peer) handlePTB(mtu int, spi, seq uint32, now time.Time) {
	pair := p.sas.current
	if pair == nil {
		return
	}
	ptb := pmtud.PTB{MTU: mtu}
	if pair.outbound.SPI() == spi {
		ptb.Size = pair.outbound.sizes.Size(seq)
		ptb.Validated = ptb.Size > 0
	}
	p.discovery.PTB(ptb, now)
}

// discoveryStatus fills in what `fathom status` shows.
func (p *peer) discoveryStatus(now time.Time) status.PMTUD {
	s := status.PMTUD{
		State:       p.discovery.State().String(),
		Source:      "discovery",
		LossPercent: 100 * p.discovery.Loss(),
		ClearsDF:    p.discovery.ClearsDF(),
		History:     []status.PLPMTUChange{},
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
