package tunnel

import (
	"net/netip"
	"time"

	"fathom/crypto"
)

// maxOutstanding is how many unanswered initiations may still be answered.
// More than one, lest a path whose round trip is longer than our patience
// never completes a handshake.
const maxOutstanding = 3

// initiations decides when this end sends initiations to a peer and knows those
// that wait for an answer. The zero value wants nothing. Owned by the control
// goroutine; pure.
type initiations struct {
	wanted      bool
	next        time.Time // when the next initiation is due
	attempts    int       // initiations since the exchange was wanted
	outstanding []initiation
	cookie      crypto.Cookie // from the peer, while it is under load
	collided    bool          // prevails has already hastened an initiation
}

// initiation is one that was sent and not answered yet.
type initiation struct {
	initiator *crypto.Initiator
	spi       uint32 // that it offers
	to        netip.AddrPort
	sent      time.Time
}

// want begins an exchange at the given time unless one is under way.
func (e *initiations) want(at time.Time) {
	if !e.wanted {
		e.wanted, e.next, e.attempts, e.collided = true, at, 0, false
	}
}

// hurry makes the next initiation due now and begins the back-off anew.
func (e *initiations) hurry(now time.Time) {
	e.wanted, e.next, e.attempts, e.collided = true, now, 0, false
}

// due reports whether an initiation is to be sent now.
func (e *initiations) due(now time.Time) bool { return e.wanted && !now.Before(e.next) }

// sent records an initiation; the next one follows after wait.
func (e *initiations) sent(i initiation, wait time.Duration) {
	if len(e.outstanding) == maxOutstanding {
		e.outstanding = append(e.outstanding[:0], e.outstanding[1:]...)
	}
	e.outstanding = append(e.outstanding, i)
	e.postpone(i.sent, wait)
}

// postpone counts an attempt that came to nothing, such as one without an
// address to send to.
func (e *initiations) postpone(now time.Time, wait time.Duration) {
	e.attempts++
	e.next = now.Add(wait)
}

// find returns the outstanding initiation with the given handshake id.
func (e *initiations) find(id uint32) (initiation, bool) {
	for _, i := range e.outstanding {
		if i.initiator.ID() == id {
			return i, true
		}
	}
	return initiation{}, false
}

// done ends the exchange: a handshake is complete. Later answers to what is
// outstanding are strangers.
func (e *initiations) done() {
	e.wanted, e.attempts, e.outstanding = false, 0, nil
}

// collisionWindow is how long an initiation of ours makes us ignore one that
// comes from where it went: the peer has ours by then, or ours is lost.
const collisionWindow = 500 * time.Millisecond

// collisionRetry is how long an answer may take on most paths.
const collisionRetry = 50 * time.Millisecond

// prevails decides the collision when both ends initiate at once, so that one
// SA pair comes of it. The initiation of the end with the greater public key
// goes on; that end ignores the other's. It does so only while its own may
// just be crossing the other on the same path: an initiation that was lost or
// went to where the peer no longer is must not keep the peer out. One that was
// lost because the peer has only now come up is the more likely case of the
// two: once in an exchange the next initiation therefore follows soon.
func (e *initiations) prevails(from netip.AddrPort, oursIsGreater bool, now time.Time) bool {
	if !oursIsGreater || len(e.outstanding) == 0 {
		return false
	}
	last := e.outstanding[len(e.outstanding)-1]
	if last.to != from || now.Sub(last.sent) >= collisionWindow {
		return false
	}
	if soon := now.Add(collisionRetry); !e.collided && e.next.After(soon) {
		e.next = soon
	}
	e.collided = true
	return true
}

// yield puts off our own initiations: the peer's has just been answered.
func (e *initiations) yield(until time.Time) {
	if e.wanted && e.next.Before(until) {
		e.next = until
	}
}
