package tunnel

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// event is work for the control goroutine, which calls it. One that changes the
// state of a peer ends with attend.
type event func(c *controller, now time.Time)

// events is the way to the control goroutine: the packet loops, the opener, the
// look-ups and the status socket put in, the controller takes out. Each kind of
// input has a bounded queue of its own, in which a flood loses its own. Any
// goroutine may use it, except take, which is the control goroutine's.
type events struct {
	mailboxes mailboxes              // about one peer
	queues    [len(kinds)]chan event // the others, by kind
	turn      int                    // in order
	ready     chan struct{}          // holds a token while an event may wait
	closed    chan struct{}          // when the control goroutine has ended

	gate    *gate
	calls   calls
	places  *places
	strange limit // of PTBs that quote nothing of ours
	drops   *drops
	log     *slog.Logger
}

// kind is what an event is about.
type kind uint8

const (
	ofPeer       kind = iota // a control message of a peer, or a notice about it: see mailboxes
	ofRequest                // the status socket, a look-up
	ofAnswer                 // an answer to an initiation of ours
	ofInitiation             // an initiation that has been opened
)

// kinds says how many events of each kind may wait. Peers have mailboxes instead.
// Initiations wait before they are opened: what is late is dropped there, at no cost.
var kinds = [...]int{ofPeer: 0, ofRequest: 64, ofAnswer: 512, ofInitiation: 16}

// order is that in which the kinds of events are taken; one without events misses its
// turn. So no kind waits for more than this many events. Answers have most turns: they
// end what both sides have begun, those who have not seen our initiations cannot send
// them, and one that waits for too long is asked for again.
var order = [...]kind{ofAnswer, ofPeer, ofAnswer, ofPeer, ofAnswer, ofInitiation, ofAnswer, ofPeer, ofAnswer, ofRequest}

func newEvents(gate *gate, places *places, drops *drops, log *slog.Logger) *events {
	e := &events{
		ready: make(chan struct{}, 1), closed: make(chan struct{}),
		gate: gate, calls: newCalls(), places: places, strange: limit{interval: strangePTBInterval, burst: strangePTBBurst}, drops: drops, log: log,
	}
	for kind, room := range kinds {
		e.queues[kind] = make(chan event, room)
	}
	return e
}

// tell wakes the control goroutine.
func (e *events) tell() {
	select {
	case e.ready <- struct{}{}:
	default:
	}
}

// write leaves a message of a peer, or a notice about it; false means that too many
// of them wait, and it is lost.
func (e *events) write(p *peer, l letter) bool {
	if !e.mailboxes.post(&p.mailbox, l) {
		return false
	}
	e.tell()
	return true
}

// notify leaves a notice about a peer: see write.
func (e *events) notify(p *peer, what event) bool { return e.write(p, letter{event: what}) }

// post leaves an event of a kind other than ofPeer; false means that its queue is
// full, and the event is lost.
func (e *events) post(k kind, what event) bool {
	select {
	case e.queues[k] <- what:
		e.tell()
		return true
	default:
		return false
	}
}

// errStopped: the control goroutine has ended.
var errStopped = errors.New("the tunnel has ended")

// deliver leaves an event of a kind other than ofPeer, and waits for room until ctx
// is done.
func (e *events) deliver(ctx context.Context, k kind, what event) error {
	select {
	case e.queues[k] <- what:
		e.tell()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.closed:
		return errStopped
	}
}

// ask delivers a request, and waits until the control goroutine is done with it.
// After an error the event may still run later, or never.
func (e *events) ask(ctx context.Context, what event) error {
	done := make(chan struct{})
	err := e.deliver(ctx, ofRequest, func(c *controller, now time.Time) { what(c, now); close(done) })
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

// take returns the event whose turn it is, nil if none waits. After it, ready has a
// token if there may be more.
func (e *events) take() event {
	for range order {
		k := order[e.turn]
		e.turn = (e.turn + 1) % len(order)
		if what := e.takeOf(k); what != nil {
			e.tell()
			return what
		}
	}
	return nil
}

func (e *events) takeOf(k kind) event {
	if k == ofPeer {
		return e.mailboxes.take()
	}
	select {
	case what := <-e.queues[k]:
		return what
	default:
		return nil
	}
}

// waiting returns how many events wait.
func (e *events) waiting() int {
	n := e.mailboxes.waiting()
	for _, queue := range e.queues {
		n += len(queue)
	}
	return n
}

// close releases all callers that wait for the control goroutine, which has ended.
func (e *events) close() { close(e.closed) }
