package tunnel

import (
	"errors"
	"time"

	"fathom/conf"
	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/udp"
)

// This file lets package pmtud, which decides, and the network, which it knows
// nothing of, meet: probes and reports become control messages, ICMP and the
// kernel's refusals become inputs, and what comes out is published as the
// peer's path.

// discoveryConfig is what a peer's configuration says about its discovery.
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

// pollDiscovery sends what the discovery wants sent and obeys what it has found.
// It is called after every input, and when the alarm rings.
func (c *controller) pollDiscovery(p *peer, now time.Time) {
	if p.validated && p.sas.current != nil {
		p.probes = p.discovery.Poll(p.probes[:0], now)
		for _, a := range p.probes {
			c.act(p, a, now)
		}
		if at := p.discovery.Deadline(); !at.IsZero() {
			c.alarm.set(at, now)
		}
	}
	c.applyPLPMTU(p)
}

func (c *controller) act(p *peer, a pmtud.Action, now time.Time) {
	switch a.Kind {
	case pmtud.SendProbe:
		if err := c.messenger.control(p, control.AppendToken(nil, control.Probe, a.ID), a.Size); err != nil {
			p.discovery.ProbeFailed(a.ID, errors.Is(err, udp.ErrTooBig), now)
		}
	case pmtud.SendReportRequest:
		_ = c.messenger.control(p, control.AppendToken(nil, control.ReportRequest, a.ID), 0)
	}
}

// applyPLPMTU publishes the PLPMTU. From the next packet on it is observed.
func (c *controller) applyPLPMTU(p *peer) {
	to := p.path
	if to == nil {
		return
	}
	plpmtu, settled := p.discovery.PLPMTU(), to.settled
	if p.discovery.Settled() {
		settled = plpmtu
	}
	if plpmtu != to.plpmtu || settled != to.settled {
		to = to.with(plpmtu, settled, to.egress)
		p.setPath(to)
		c.log.Debug("plpmtu", "peer", p.name, "plpmtu", to.plpmtu, "inner_mtu", to.innerMTU, "host_mtu", to.hostMTU)
	}
	if to.hostMTU != p.appliedHostMTU {
		p.appliedHostMTU = to.hostMTU
		c.host.apply(p, c.peers)
	}
}

// handleReport takes in what the peer says has arrived. A report about an SA
// that has been replaced speaks of other numbers.
func (c *controller) handleReport(p *peer, e control.Element, now time.Time) {
	var words [control.MaxReportWords]uint64
	spi, highest, bits := e.Report(words[:0])
	if pair := p.sas.current; pair != nil && pair.outbound.SPI() == spi {
		p.discovery.Report(e.Token(), highest, bits, now)
		c.pollDiscovery(p, now)
	}
}

func (c *controller) handlePTB(p *peer, mtu int, spi, seq uint32, now time.Time) {
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
	c.pollDiscovery(p, now)
}

// egressChanged looks at the host's own interfaces and routes again.
func (c *controller) egressChanged(now time.Time) {
	for _, p := range c.peers {
		to := p.path
		if to == nil {
			continue
		}
		mtu, err := c.host.network.EgressMTU(to.Remote().Addr())
		if err != nil || mtu == to.egress {
			continue // without a route there will be another change
		}
		c.log.Info("egress MTU", "peer", p.name, "from", to.egress, "to", mtu)
		p.setPath(to.with(to.plpmtu, to.settled, mtu))
		p.discovery.EgressMTU(mtu, now)
		c.pollDiscovery(p, now)
	}
}

// discoveryStatus fills in what `fathom status` shows.
func (p *peer) discoveryStatus(to *path) PMTUDStatus {
	s := PMTUDStatus{
		State:       p.discovery.State().String(),
		Source:      "discovery",
		LossPercent: 100 * p.discovery.Loss(),
		ClearsDF:    p.discovery.ClearsDF(),
		History:     []PLPMTUChange{},
	}
	if p.config.PLPMTU > 0 {
		s.Source = "configuration"
	} else if p.config.Probing == conf.ProbingOff {
		s.Source = "egress"
	}
	if to != nil {
		s.PLPMTU, s.InnerMTU, s.EgressMTU = to.plpmtu, to.innerMTU, to.egress
	}
	for _, e := range p.discovery.History() {
		s.History = append(s.History, PLPMTUChange{e.At, e.From, e.To, e.Cause.String()})
	}
	return s
}
