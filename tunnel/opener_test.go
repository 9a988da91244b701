package tunnel

import (
	"net/netip"
	"testing"
	"time"

	"fathom/tunnel/udp"
)

// TestTheOpenerEndsDuringAFlood: what waits, and what still comes, does not keep it
// from ending with the control goroutine.
func TestTheOpenerEndsDuringAFlood(t *testing.T) {
	_, g := newGatekeeper(t)
	e := newEvents(g.gate, g.gate.places, new(drops), nil)
	for range maxAdmitted {
		e.calls.admitted <- call{}
	}
	for range maxUnproved {
		e.calls.unproved <- call{origin: origin{from: netip.MustParseAddrPort("192.0.2.2:4500")}}
	}
	e.close()
	opener := &opener{g.responder, e, nil, new(answers), e.drops, nil}
	ended := make(chan struct{})
	go func() { opener.run(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
	if a, u := len(e.calls.admitted), len(e.calls.unproved); a != maxAdmitted || u != maxUnproved {
		t.Errorf("%d and %d calls are left", a, u)
	}
}

// firstReply ends the control goroutine, as it were, when a reply is sent.
type firstReply struct {
	events *events
	sent   int
}

func (f *firstReply) plain([]byte, *udp.Destination) error {
	f.sent++
	f.events.close()
	return nil
}

// TestCookieRepliesGoOutWhileAdmittedCallsWait: a flood of senders who have proved
// their addresses must not keep others from doing so.
func TestCookieRepliesGoOutWhileAdmittedCallsWait(t *testing.T) {
	caller, g := newGatekeeper(t)
	e := newEvents(g.gate, g.gate.places, new(drops), nil)
	for range maxAdmitted {
		e.calls.admitted <- call{}
	}
	e.calls.unproved <- call{message: caller.message(t, g.party, time.Now()), origin: origin{from: caller.at}}
	replies := &firstReply{events: e}
	(&opener{g.responder, e, replies, new(answers), e.drops, nil}).run()
	if replies.sent != 1 || len(e.calls.admitted) == 0 {
		t.Errorf("%d replies, %d admitted calls wait", replies.sent, len(e.calls.admitted))
	}
}
