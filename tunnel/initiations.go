package tunnel

import (
	"net/netip"
	"slices"
	"time"

	"fathom/crypto"
)

// maxOutstanding is how many unanswered initiations may still be answered. With
// only one, a handshake would never complete on a path whose round trip is longer
// than the wait before the next initiation.
const maxOutstanding = 3

// initiations decides when this end sends initiations to a peer and knows those
// that wait for an answer. The zero value wants nothing. Owned by the control
// goroutine; pure.
type initiations struct {
	wanted      bool
	next        time.Time // when the next initiation is due
	turn        bool      // next is this peer's turn among those to be called
	attempts    int       // initiations since the exchange was wanted
	outstanding []initiation
	cookies     cookies // from the peer, while it is under load
	hastened    bool    // a cookie has already hastened an initiation
}

// cookies are those of one peer, the youngest last. Each is good for the address that
// we are seen by on the way to one of its places: that by IPv4 is another than that by
// IPv6, and with several uplinks each may have its own.
type cookies []cookieAt

type cookieAt struct {
	place  netip.AddrPort
	cookie crypto.Cookie
}

// maxCookies is how many are kept: more than most peers have places.
const maxCookies = 16

// at returns the cookie for a place, none if there is none.
func (c cookies) at(place netip.AddrPort) crypto.Cookie {
	for _, one := range c {
		if one.place == place {
			return one.cookie
		}
	}
	return crypto.Cookie{}
}

// keep takes a cookie in.
func (c *cookies) keep(place netip.AddrPort, cookie crypto.Cookie) {
	*c = slices.DeleteFunc(*c, func(one cookieAt) bool { return one.place == place })
	if len(*c) == maxCookies {
		*c = slices.Delete(*c, 0, 1)
	}
	*c = append(*c, cookieAt{place, cookie})
}

// initiation is one that was sent and not answered yet.
type initiation struct {
	initiator *crypto.Initiator
	to        netip.AddrPort
	sent      time.Time
	// generation is the least that the pair would have.
	generation uint64
	remote     crypto.PublicKey // of the peer's keys
}

// want begins an exchange at the given time unless one is under way.
func (s *initiations) want(at time.Time) {
	if !s.wanted {
		s.begin(at)
	}
}

// hurry makes the next initiation due now and begins the back-off anew.
func (s *initiations) hurry(now time.Time) { s.begin(now) }

// begin begins the back-off anew, with an initiation at the given time.
func (s *initiations) begin(at time.Time) {
	s.wanted, s.next, s.attempts, s.hastened = true, at, 0, false
}

// due reports whether an initiation is to be sent now.
func (s *initiations) due(now time.Time) bool { return s.wanted && !now.Before(s.next) }

// inTurn reports whether it is the peer's turn to be called, else it waits for
// that.
func (s *initiations) inTurn(t *turns, now time.Time) bool {
	if !s.turn {
		if at := t.take(now); at.After(now) {
			s.next, s.turn = at, true
			return false
		}
	}
	s.turn = false
	return true
}

// initiationGap is the least time from one initiation to the next, whichever
// peers they are for. A hub that has thousands to call at once would otherwise be
// busy with that when their answers come, and call them again.
const initiationGap = time.Millisecond

// turns are given to those who want to send an initiation. The zero value is
// ready; pure.
type turns struct {
	next time.Time // the first that is free
}

// take returns the time of a turn, which is now if no other peer waits.
func (t *turns) take(now time.Time) time.Time {
	at := t.next
	if at.Before(now) {
		at = now
	}
	t.next = at.Add(initiationGap)
	return at
}

// sent records an initiation; the next one follows after wait. It returns the
// initiations that may not be answered any more.
func (s *initiations) sent(i initiation, wait time.Duration) (void []initiation) {
	if excess := len(s.outstanding) + 1 - maxOutstanding; excess > 0 {
		void = slices.Clone(s.outstanding[:excess])
		s.outstanding = slices.Delete(s.outstanding, 0, excess)
	}
	s.outstanding = append(s.outstanding, i)
	s.postpone(i.sent, wait)
	return void
}

// postpone counts an attempt that came to nothing, such as one without an
// address to send to.
func (s *initiations) postpone(now time.Time, wait time.Duration) {
	s.attempts++
	s.next = now.Add(wait)
}

// takeCookie takes the cookie of a place of the peer's: the next initiation to there will
// be answered under load, too. The peer is there and waits for it, so the attempt is made again at once
// instead of after the wait for a peer that may be gone, and counts once. That is done
// once in an exchange: whoever sees our initiations can forge cookies. It reports
// whether the attempt is made again.
func (s *initiations) takeCookie(from netip.AddrPort, cookie crypto.Cookie, now time.Time) (again bool) {
	s.cookies.keep(from, cookie)
	again = !s.hastened && s.attempts > 0 && s.next.After(now)
	if again {
		s.next = now
		s.attempts--
	}
	s.hastened = true
	return again
}

// find returns the outstanding initiation with the given handshake id.
func (s *initiations) find(id uint32) (initiation, bool) {
	for _, i := range s.outstanding {
		if i.initiator.ID() == id {
			return i, true
		}
	}
	return initiation{}, false
}

// above returns a generation above those that were asked for and have not been
// answered, 0 if there is none. A pair that this end answers has at least that: if
// the peer has restarted, what it answered before must not be the higher one.
func (s *initiations) above() (generation uint64) {
	for _, i := range s.outstanding {
		generation = max(generation, i.generation+1)
	}
	return generation
}

// done ends the exchange: a handshake is complete. It returns the initiations
// that were outstanding, which may not be answered any more.
func (s *initiations) done() (void []initiation) {
	void = s.outstanding
	s.wanted, s.attempts, s.outstanding = false, 0, nil
	return void
}

// abandon makes the initiations that are outstanding void, and returns them.
func (s *initiations) abandon() (void []initiation) {
	void, s.outstanding = s.outstanding, nil
	return void
}

// yield puts off our own initiations: the peer's has just been answered. Two that
// have crossed are both answered; the order of the pairs decides (saSet).
func (s *initiations) yield(until time.Time) {
	if s.wanted && s.next.Before(until) {
		s.next = until
	}
}
