package tunnel

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"fathom/tunnel/control"
)

// confirmEvery is how often a new SA pair is tried until the peer is seen to
// use it too.
const confirmEvery = time.Second

// handleControl acts on the control messages in an authentic dummy packet.
// fragmented says that it arrived in fragments.
func (c *controller) handleControl(sa *inboundSA, payload []byte, fragmented bool, now time.Time) {
	p := sa.peer
	pair := p.sas.find(sa)
	if pair == nil {
		return // the SA ended while the message was on its way here
	}
	elements, err := control.Parse(nil, payload)
	if err != nil {
		p.drops.count(dropDummy)
		return
	}
	for _, e := range elements {
		switch e.Type {
		case control.Echo:
			_ = c.sendControl(p, control.AppendToken(nil, control.EchoReply, e.Token()), 0)
		case control.EchoReply:
			if e.Token() == p.echo.token && p.echo.token != 0 {
				p.echo.token = 0
				c.validate(p, now.Sub(p.echo.sent), now)
			}
		case control.Probe:
			_ = c.sendControl(p, control.AppendProbeAck(nil, e.Token(), fragmented), 0)
		case control.ProbeAck:
			if !c.ackSounding(p, e, now) {
				p.discovery.Ack(e.Token(), e.Fragmented(), now)
				c.pollDiscovery(p, now)
			}
		case control.ReportRequest:
			c.handleReportRequest(p, sa, e.Token())
		case control.Report:
			c.handleReport(p, e, now)
		case control.Close:
			if pair != p.sas.current {
				return // of a pair that has been replaced since
			}
			c.spis.remove(p.sas.clear())
			c.lost(p, "closed by peer", now)
			p.initiations.next = now.Add(confirmEvery) // it may be restarting
			return
		}
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
		p.initiations.done()
		c.established(p, pair, pair.answered, now.Sub(pair.established), now)
	}
}

// sendEcho asks the peer for an answer.
func (c *controller) sendEcho(p *peer, now time.Time) {
	var b [8]byte
	rand.Read(b[:])
	p.echo = pendingEcho{binary.BigEndian.Uint64(b[:]), now}
	_ = c.sendControl(p, control.AppendToken(nil, control.Echo, p.echo.token), 0)
}

func (c *controller) sendClose(p *peer) {
	_ = c.sendControl(p, control.AppendClose(nil), 0)
}

// sendControl sends a control message on the current SA, if there is one. With
// size, in bytes of the outer IP packet, the packet is padded to exactly that.
// The error has been counted.
func (c *controller) sendControl(p *peer, message []byte, size int) error {
	to := p.session.Load()
	if !to.ready() {
		return errNoSA
	}
	if err := c.sender.control(to, message, size); err != nil {
		p.drops.count(dropReasonOf(err))
		return err
	}
	p.sent.Add(1)
	return c.sender.outbox.flush()
}

var errNoSA = errors.New("no SA")
