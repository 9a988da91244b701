package tunnel

import (
	"net/netip"
	"testing"
	"time"
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
		e.calls.unproved <- call{from: netip.MustParseAddrPort("192.0.2.2:4500")}
	}
	e.close()
	opener := &opener{g.responder, e, nil, e.drops, nil}
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
