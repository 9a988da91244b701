package tunnel

import (
	"time"

	"fathom/tunnel/control"
	"fathom/tunnel/paths"
)

// handleControl acts on the control messages in an authentic dummy packet.
// fragmented says that it arrived in fragments.
func (c *controller) handleControl(sa *inboundSA, payload []byte, fragmented bool, by origin, now time.Time) {
	p := sa.peer
	pair := p.sas.find(sa)
	if pair == nil {
		return // the SA ended while the message was on its way here
	}
	elements, err := control.Parse(nil, payload)
	c.arrived(p, by, by.newest && !p.probing(elements), now)
	c.proved(pair, now)                                    // the event of its first use may have been lost
	defer func() { p.liveness.hears(now, p.numbered()) }() // our answers included
	if err != nil {
		p.drops.count(dropDummy)
		return
	}
	for _, e := range elements {
		switch e.Type {
		case control.Echo:
			_ = c.messenger.control(p, control.AppendToken(nil, control.EchoReply, e.Token()), 0)
		case control.EchoReply:
			if rtt, ok := p.echo.reply(e.Token(), now); ok {
				if rtt > 0 && p.provedHere() { // else it was asked where it was before
					p.discovery.SeedRTT(rtt)
				}
				p.inquiries.answered(now.Add(-rtt), rtt)
			} else {
				c.responded(p, e.Token(), 0, now) // of a peer that knows no challenges
			}
		case control.PathChallenge:
			c.challenged(p, by, paths.Challenge{Token: e.Token(), Generation: e.Generation(), Use: e.Use(), Stalled: e.Stalled()}, now)
		case control.PathResponse:
			c.responded(p, e.Token(), e.Generation(), now)
		case control.Probe:
			_ = c.messenger.control(p, control.AppendProbeAck(nil, e.Token(), fragmented), 0)
		case control.ProbeAck:
			p.ack(e, now)
		case control.ReportRequest:
			c.messenger.report(sa, e.Token())
		case control.Report:
			p.handleReport(e, now)
		case control.HopsRequest:
			c.serveHops(p, e.Token(), now)
		case control.HopsReport:
			p.farHops.report(e)
		case control.FactsRequest:
			c.serveFacts(p, e.Token(), now)
		case control.FactsReport:
			p.farFacts.report(e, now)
		case control.Close:
			c.closed(p, pair, now)
			return
		}
	}
}

// closedFor is how long a peer that has ended is left alone: it may be restarting.
const closedFor = time.Second

// closedByPeer is why a peer was lost that has ended.
const closedByPeer = "closed by peer"

// closed ends the pair that a Close has come on and those below it, and no other: a
// peer that has started again may have a new one, whose handshake has overtaken the
// Close of its last run.
func (c *controller) closed(p *peer, pair *saPair, now time.Time) {
	gone, switched := p.sas.closed(pair, now)
	c.spis.remove(gone)
	if switched {
		c.follow(p, closedByPeer, now)
	}
	if switched && !p.up {
		p.initiations.next = now.Add(closedFor)
	}
}

// handleFirstUse follows the peer to an SA pair that it has begun to use.
func (c *controller) handleFirstUse(sa *inboundSA, now time.Time) {
	if pair := sa.peer.sas.find(sa); pair != nil {
		c.proved(pair, now)
	}
}

// proved takes note that the peer has sent on a pair, and sends on it, too, unless
// there is a higher one.
func (c *controller) proved(pair *saPair, now time.Time) {
	if pair.proven {
		return
	}
	p := pair.inbound.peer
	rtt, certain := pair.rtt, true
	if !pair.initiator {
		rtt, certain = pair.firstUse(now)
		c.handshook(p, origin{from: pair.answered, local: pair.local}, rtt, now)
	}
	if p.sas.prove(pair, now) {
		p.liveness.reset(now)
		if pair.own == c.handshaker.public { // else one by the new key is still wanted
			c.handshaker.done(p)
		}
		c.established(p, now)
	}
	if !pair.initiator {
		p.reached(pair.answered, rtt)
		if !certain {
			c.messenger.echo(p, now)
		}
	}
}

// ack takes in the ack of a probe: of the path in use, of another, or of a probe run.
func (p *peer) ack(e control.Element, now time.Time) {
	if p.discovery.ack(e.Token(), e.Fragmented(), now) {
		return
	}
	for _, d := range p.standbys.all {
		if d.ack(e.Token(), e.Fragmented(), now) {
			return
		}
	}
	if p.probeRun != nil && p.probeRun.ack(e.Token(), e.Fragmented(), now) {
		return
	}
	if p.hopRun != nil {
		p.hopRun.ack(e.Token(), e.Fragmented(), now)
	}
}
