package tunnel

import (
	"bytes"
	"net/netip"
	"time"

	"fathom/esp"
	"fathom/tunnel/control"
	"fathom/tunnel/udp"
)

// This file is what the packet loops tell the control goroutine: the methods of
// eventSink and of sendEvents. What the network can cause without end is limited
// here.

var (
	_ eventSink  = (*events)(nil)
	_ sendEvents = (*events)(nil)
)

func (e *events) handshake(message []byte, by origin) bool {
	now := time.Now()
	switch e.gate.judge(message, by.from, now) {
	case foreign:
		e.drops.count(dropVersion)
	case refused:
		e.drops.count(dropHandshake)
	case excessive:
		e.drops.count(dropHandshakeRate)
	case unproved:
		return e.call(e.calls.unproved, message, by, now)
	case admitted:
		if len(e.queues[ofAnswer]) > maxAnswersBefore {
			return false
		}
		return e.call(e.calls.admitted, message, by, now)
	case answered:
		message = bytes.Clone(message)
		return e.post(ofAnswer, func(c *controller, now time.Time) { c.handleAnswer(message, by, now) })
	}
	return true
}

// maxAnswersBefore is how many answers to our initiations may wait when one more
// initiation is let in. Most of its senders, at a restart, are peers that we have
// called ourselves; to open theirs as well would double the work just when there is
// too much of it.
const maxAnswersBefore = 16

// call leaves an initiation for the opener; false means that it is lost.
func (e *events) call(queue chan call, message []byte, by origin, now time.Time) bool {
	if len(queue) == cap(queue) {
		return false
	}
	select {
	case queue <- call{bytes.Clone(message), by, now}:
		return true
	default:
		return false
	}
}

func (e *events) message(sa *inboundSA, payload []byte, fragmented bool, by origin) bool {
	payload = bytes.Clone(control.Trim(payload))
	return e.write(sa.peer, letter{message: true, event: func(c *controller, now time.Time) {
		c.handleControl(sa, payload, fragmented, by, now)
		c.attend(sa.peer, now)
	}})
}

func (e *events) firstUse(sa *inboundSA) {
	if !e.notify(sa.peer, func(c *controller, now time.Time) {
		c.handleFirstUse(sa, now)
		c.attend(sa.peer, now)
	}) {
		sa.used.Store(false) // the next packet tells again
	}
}

// elsewhereEvery bounds how often the control goroutine hears that a peer's data comes
// from elsewhere: two ends may send by different paths for ever.
const elsewhereEvery = 5 * time.Millisecond

func (e *events) elsewhere(p *peer, by origin) {
	if !p.strays.allow(time.Now()) {
		return
	}
	e.notify(p, func(c *controller, now time.Time) {
		c.arrived(p, by, by.newest, now)
		c.attend(p, now)
	})
}

func (e *events) dataFlows(p *peer) {
	if e.notify(p, func(c *controller, now time.Time) { c.attend(p, now) }) {
		return
	}
	if to := p.session.Load(); to.ready() {
		to.sa.sizes.Watch() // the next packet tells again
	}
}

func (e *events) tooBig(to *session, size int) {
	p, number := to.peer, to.path.number
	e.notify(p, func(c *controller, now time.Time) {
		if d := p.discoveryNumbered(number); d != nil {
			d.LocalTooBig(size, now)
		}
		c.attend(p, now)
	})
}

func (e *events) noSegmentation(local netip.AddrPort, why error) {
	e.log.Info("UDP segmentation offload does not work here and is not used", "socket", local, "error", why)
}

const (
	// quotedPTBEvery and strangePTBEvery bound how many PTBs about a peer reach the
	// control goroutine, whatever the network sends; strangePTBInterval and
	// strangePTBBurst how many about all peers that quote nothing recent.
	quotedPTBEvery     = time.Millisecond
	strangePTBEvery    = 100 * time.Millisecond
	strangePTBInterval = time.Millisecond
	strangePTBBurst    = 100
)

// icmp passes on a message about a packet to a peer.
func (e *events) icmp(m udp.ICMP) {
	if p := e.places.at(m.To); p != nil && p.trap.set.Load() {
		if spi, seq, ok := esp.ParseQuote(m.Quote); ok && p.trap.catch(caught{m.Kind, m.By, m.MTU, spi, seq, time.Now()}) {
			e.notify(p, func(c *controller, now time.Time) { c.attend(p, now) })
		}
	}
	if m.Kind == udp.PTB {
		e.ptb(m)
	}
}

// ptb passes on a PTB that quotes the SPI and the sequence number of a packet
// sent shortly before, and only a few of all others.
func (e *events) ptb(m udp.ICMP) {
	p := e.places.at(m.To)
	if p == nil {
		return
	}
	s := p.session.Load()
	if !s.ready() {
		return
	}
	spi, seq, _ := esp.ParseQuote(m.Quote)
	now := time.Now()
	if spi == s.sa.SPI() && s.sa.sizes.Size(seq) > 0 {
		if !p.quotedPTBs.allow(now) {
			return
		}
	} else if !p.strangePTBs.allow(now) || !e.strange.allow(now) {
		return
	}
	mtu := m.MTU
	e.notify(p, func(c *controller, now time.Time) {
		p.handlePTB(m.To, mtu, spi, seq, now)
		c.attend(p, now)
	})
}
