package tunnel

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"fathom/crypto"
	"fathom/esp"
	"fathom/tunnel/udp"
)

// maxInitiationWait is how long an initiation may wait until it is answered. Later
// than that its sender is about to send another, and to answer both would double
// the work just when there is too much of it.
const maxInitiationWait = 300 * time.Millisecond

// call is an initiation that has arrived.
type call struct {
	message []byte // without the non-ESP marker
	origin
	arrived time.Time
}

// late reports whether the call has waited for too long.
func (c *call) late(now time.Time) bool { return now.Sub(c.arrived) > maxInitiationWait }

// calls wait for the opener: those that the gate has admitted, and those that get a
// cookie reply.
type calls struct{ admitted, unproved chan call }

const (
	maxAdmitted = 256
	maxUnproved = 512
)

func newCalls() calls {
	return calls{admitted: make(chan call, maxAdmitted), unproved: make(chan call, maxUnproved)}
}

// opener does what initiations cost before it is known which peer they are of, so
// that the control goroutine is spared that: it opens those that the gate has
// admitted, which is public-key work, and asks the senders of others for a proof of
// their address. It has no state of a peer. One goroutine runs it.
type opener struct {
	responder *atomic.Pointer[crypto.Responder]
	events    *events
	sender    plainSender // its own
	answers   *answers
	drops     *drops
	log       *slog.Logger
}

// plainSender is the part of a sender that an opener uses.
type plainSender interface {
	plain(datagram []byte, to *udp.Destination) error
}

// run ends when the control goroutine has, however many calls wait and come. Where
// both kinds wait they take turns: a cookie reply costs little beside an initiation
// that is opened, and without one nobody new is admitted.
func (o *opener) run() {
	for {
		select {
		case <-o.events.closed:
			return
		default:
		}
		select {
		case c := <-o.events.calls.admitted:
			o.open(c)
		case c := <-o.events.calls.unproved:
			o.askForProof(c, time.Now())
		case <-o.events.closed:
			return
		}
	}
}

// open opens an initiation and hands it to the control goroutine. It waits for that:
// meanwhile the calls fill their queue, and what comes then is lost where it arrives.
func (o *opener) open(c call) {
	now := time.Now()
	if c.late(now) {
		o.drops.count(dropBusy)
		return
	}
	pending, err := o.responder.Load().Open(c.message)
	if err != nil {
		o.drops.count(dropHandshake)
		o.log.Debug("handshake message dropped", "type", crypto.Initiation, "from", c.from, "error", err)
		return
	}
	_ = o.events.deliver(context.Background(), ofInitiation, func(control *controller, now time.Time) {
		if c.late(now) {
			control.drops.count(dropBusy)
			return
		}
		control.handleInitiation(pending, c.origin, now)
	})
}

// askForProof sends a cookie reply.
func (o *opener) askForProof(c call, now time.Time) {
	o.drops.count(dropCookieAsked)
	reply, err := o.responder.Load().CookieReply(esp.AppendMarker(nil), c.message, c.from, now)
	if err == nil {
		err = o.sender.plain(reply, o.answers.to(c.origin))
	}
	if err != nil {
		o.log.Debug("cookie reply not sent", "to", c.from, "error", err)
	}
}
