package tunnel

import (
	"time"

	"fathom/tunnel/control"
)

// handleControl acts on the control messages in an authentic dummy packet.
// fragmented says that it arrived in fragments.
func (c *controller) handleControl(sa *inboundSA, payload []byte, fragmented bool, now time.Time) {
	p := sa.peer
	pair := p.sas.find(sa)
	if pair == nil {
		return // the SA ended while the message was on its way here
	}
	defer func() { p.liveness.hears(now, p.numbered()) }() // our answers included
	elements, err := control.Parse(nil, payload)
	if err != nil {
		p.drops.count(dropDummy)
		return
	}
	for _, e := range elements {
		switch e.Type {
		case control.Echo:
			_ = c.messenger.control(p, control.AppendToken(nil, control.EchoReply, e.Token()), 0)
		case control.EchoReply:
			if e.Token() == p.echo.token && p.echo.token != 0 {
				p.echo.token = 0
				p.validate(now.Sub(p.echo.sent))
			}
		case control.Probe:
			_ = c.messenger.control(p, control.AppendProbeAck(nil, e.Token(), fragmented), 0)
		case control.ProbeAck:
			p.ack(e, now)
		case control.ReportRequest:
			c.messenger.report(sa, e.Token())
		case control.Report:
			p.handleReport(e, now)
		case control.Close:
			c.closed(p, pair, now)
			return
		}
	}
}

// closed ends the pair that a Close has come on, and no other: a peer that has
// started again may have a new one, whose handshake has overtaken the Close of its last
// run.
func (c *controller) closed(p *peer, pair *saPair, now time.Time) {
	last := pair == p.sas.current
	p.sas.end(pair)
	c.spis.remove([]*saPair{pair})
	if last {
		c.lost(p, "closed by peer", now)
		p.initiations.next = now.Add(confirmEvery) // it may be restarting
	}
}

// handleFirstUse follows the peer to an SA pair that it has begun to use.
func (c *controller) handleFirstUse(sa *inboundSA, now time.Time) {
	p := sa.peer
	pair := p.sas.find(sa)
	if pair == nil {
		return
	}
	if p.sas.used(pair, now) {
		p.liveness.reset(now)
		c.handshaker.done(p)
		c.established(p, pair.answered, now.Sub(pair.established), now)
	}
}

// ack takes in the ack of a probe, the tunnel's own or a probe run's.
func (p *peer) ack(e control.Element, now time.Time) {
	if !p.discovery.ack(e.Token(), e.Fragmented(), now) && p.probeRun != nil {
		p.probeRun.ack(e.Token(), e.Fragmented(), now)
	}
}
