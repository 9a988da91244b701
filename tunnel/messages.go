package tunnel

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"fathom/esp"
	"fathom/tunnel/control"
)

// confirmEvery is how often a new SA pair is tried until the peer is seen to
// use it too.
const confirmEvery = time.Second

// handleControl acts on the control messages in an authentic dummy packet.
func (c *controller) handleControl(sa *inboundSA, payload []byte, now time.Time) {
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
			c.sendControl(p, control.AppendEcho(nil, control.EchoReply, e.Token()))
		case control.EchoReply:
			if e.Token() == p.echo.token && p.echo.token != 0 {
				p.rtt.sample(now.Sub(p.echo.sent))
				p.echo.token = 0
			}
		case control.Close:
			if pair != p.sas.current {
				return // of a pair that has been replaced since
			}
			c.spis.remove(p.sas.clear())
			c.lost(p, "closed by peer", now)
			p.exchange.next = now.Add(confirmEvery) // it may be restarting
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
		p.exchange.done()
		c.publish(p, now)
		c.established(p, pair, now)
	}
}

// sendEcho asks the peer for an answer.
func (c *controller) sendEcho(p *peer, now time.Time) {
	var b [control.EchoSize]byte
	rand.Read(b[:])
	p.echo = pendingEcho{binary.BigEndian.Uint64(b[:]), now}
	c.sendControl(p, control.AppendEcho(nil, control.Echo, p.echo.token))
}

func (c *controller) sendClose(p *peer) {
	c.sendControl(p, control.AppendClose(nil))
}

// sendControl sends a control message on the current SA, if there is one.
func (c *controller) sendControl(p *peer, message []byte) {
	sa, to := p.outbound.Load(), p.path.Load()
	if sa == nil || to == nil {
		return
	}
	if err := c.sender.send(sa, to, message, esp.NextHeaderDummy); err != nil {
		p.drops.count(dropReasonOf(err))
		return
	}
	p.sent.Add(1)
}
