package tunnel

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"fathom/crypto"
	"fathom/esp"
	"fathom/tunnel/udp"
)

// eventQueue bounds what may wait for the control goroutine; packet loops drop
// and count the rest.
const eventQueue = 512

// event is work for the control goroutine, which calls it. One that changes the
// state of a peer ends with attend.
type event func(c *controller, now time.Time)

// events is the way to the control goroutine: the packet loops, the look-ups
// and the status socket put in, the controller takes out. It limits the input
// from the network before that can cost the control goroutine anything. Any
// goroutine may use it.
type events struct {
	queue      chan event
	closed     chan struct{}               // when the control goroutine has ended
	recognizes func(handshake []byte) bool // is from a sender that knows our public key
	places     *places
	drops      *drops
	log        *slog.Logger
}

func newEvents(recognizes func([]byte) bool, places *places, drops *drops, log *slog.Logger) *events {
	return &events{queue: make(chan event, eventQueue), closed: make(chan struct{}), recognizes: recognizes, places: places, drops: drops, log: log}
}

// post leaves an event; false means that the control goroutine has fallen
// behind and the event is lost.
func (e *events) post(what event) bool {
	select {
	case e.queue <- what:
		return true
	default:
		return false
	}
}

// errStopped: the control goroutine has ended.
var errStopped = errors.New("the tunnel has ended")

// deliver leaves an event, and waits for room until ctx is done.
func (e *events) deliver(ctx context.Context, what event) error {
	select {
	case e.queue <- what:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.closed:
		return errStopped
	}
}

// ask delivers an event, and waits until the control goroutine is done with it.
// After an error the event may still run later, or never.
func (e *events) ask(ctx context.Context, what event) error {
	done := make(chan struct{})
	err := e.deliver(ctx, func(c *controller, now time.Time) { what(c, now); close(done) })
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.closed:
		return errStopped
	}
}

// close releases all callers that wait for the control goroutine, which has ended.
func (e *events) close() { close(e.closed) }

// The methods below are the eventSink of the receive loops.

// maxInitiationsQueued is how full the queue may be for one more initiation. An
// initiation costs more than any other message, and each sender that knows our
// public key can send one. The rest of the queue is for the answers to our own
// initiations, and for peers that are up.
const maxInitiationsQueued = eventQueue / 2

// maxInitiationWait is how long an initiation may wait in the queue. Later than
// that its sender is about to send another, and to answer both would double the
// work just when there is too much of it.
const maxInitiationWait = 300 * time.Millisecond

func (e *events) handshake(message []byte, from netip.AddrPort, local netip.Addr) bool {
	if !e.recognizes(message) {
		e.drops.count(dropHandshake)
		return true
	}
	kind, _ := crypto.MessageType(message)
	initiation := kind == crypto.Initiation
	if initiation && len(e.queue) >= maxInitiationsQueued {
		return false
	}
	message = bytes.Clone(message)
	arrived := time.Now()
	return e.post(func(c *controller, now time.Time) {
		if initiation && now.Sub(arrived) > maxInitiationWait {
			c.drops.count(dropBusy)
			return
		}
		c.handleHandshake(message, from, local, now)
	})
}

func (e *events) message(sa *inboundSA, payload []byte, fragmented bool) bool {
	payload = bytes.Clone(payload)
	return e.post(func(c *controller, now time.Time) {
		c.handleControl(sa, payload, fragmented, now)
		c.attend(sa.peer, now)
	})
}

func (e *events) firstUse(sa *inboundSA) {
	if !e.post(func(c *controller, now time.Time) {
		c.handleFirstUse(sa, now)
		c.attend(sa.peer, now)
	}) {
		sa.used.Store(false) // the next packet tells again
	}
}

func (e *events) moved(p *peer, from netip.AddrPort, local netip.Addr) {
	if !p.moving.CompareAndSwap(false, true) {
		return
	}
	if !e.post(func(c *controller, now time.Time) {
		p.moving.Store(false)
		c.move(p, from, local, now)
		c.attend(p, now)
	}) {
		p.moving.Store(false)
	}
}

// The methods below are the sendEvents of every sender; ptb serves both.

func (e *events) dataFlows(p *peer) {
	if e.post(func(c *controller, now time.Time) { c.attend(p, now) }) {
		return
	}
	if to := p.session.Load(); to.ready() {
		to.sa.sizes.Watch() // the next packet tells again
	}
}

func (e *events) tooBig(p *peer, size int) {
	e.post(func(c *controller, now time.Time) {
		p.discovery.LocalTooBig(size, now)
		c.attend(p, now)
	})
}

func (e *events) noSegmentation(local netip.AddrPort, why error) {
	e.log.Info("UDP segmentation offload does not work here and is not used", "socket", local, "error", why)
}

const (
	// quotedPTBEvery and strangePTBEvery bound how many PTBs reach the control
	// goroutine, whatever the network sends.
	quotedPTBEvery  = time.Millisecond
	strangePTBEvery = 100 * time.Millisecond
)

// ptb passes on a PTB that quotes the SPI and the sequence number of a packet
// sent shortly before, and only a few of all others.
func (e *events) ptb(m udp.PTB) {
	p := e.places.at(m.To)
	if p == nil {
		return
	}
	s := p.session.Load()
	if !s.ready() {
		return
	}
	spi, seq, _ := esp.ParseQuote(m.Quote)
	limit := &p.strangePTBs
	if spi == s.sa.SPI() && s.sa.sizes.Size(seq) > 0 {
		limit = &p.quotedPTBs
	}
	if limit.allow(time.Now()) {
		mtu := m.MTU
		e.post(func(c *controller, now time.Time) {
			p.handlePTB(mtu, spi, seq, now)
			c.attend(p, now)
		})
	}
}
