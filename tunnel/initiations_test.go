package tunnel

import (
	"crypto/rand"
	"net/netip"
	"testing"
	"time"

	"fathom/crypto"
)

func newTestInitiation(t *testing.T, sent time.Time) initiation {
	t.Helper()
	i, err := crypto.NewInitiator(crypto.PrivateKey{1}, crypto.PublicKey{9}, crypto.PresharedKey{}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return initiation{i, netip.AddrPort{}, sent, 1, crypto.PublicKey{}}
}

func TestInitiations(t *testing.T) {
	const wait = 700 * time.Millisecond
	start := time.Unix(1000, 0)
	tests := []struct {
		name string
		do   func(s *initiations)
		due  time.Duration // after start, -1: never
	}{
		{"nothing is wanted", func(*initiations) {}, -1},
		{"wanted", func(s *initiations) { s.want(start.Add(time.Second)) }, time.Second},
		{"wanted again while under way", func(s *initiations) { s.want(start.Add(time.Second)); s.want(start) }, time.Second},
		{"hurried", func(s *initiations) { s.want(start.Add(time.Second)); s.hurry(start) }, 0},
		{"sent", func(s *initiations) { s.want(start); s.sent(newTestInitiation(t, start), wait) }, wait},
		{"no endpoint", func(s *initiations) { s.want(start); s.postpone(start, wait) }, wait},
		{"complete", func(s *initiations) { s.want(start); s.sent(newTestInitiation(t, start), wait); s.done() }, -1},
		{"the peer's has been answered", func(s *initiations) { s.want(start); s.yield(start.Add(wait)) }, wait},
		{"the peer's has been answered before ours is due", func(s *initiations) { s.want(start.Add(wait)); s.yield(start) }, wait},
		{"the peer's has been answered, and none is wanted", func(s *initiations) { s.yield(start.Add(wait)) }, -1},
		{"the peer asks for a cookie", func(s *initiations) {
			s.want(start)
			s.sent(newTestInitiation(t, start), wait)
			s.takeCookie(netip.AddrPort{}, crypto.Cookie{}, start.Add(time.Millisecond))
		}, time.Millisecond},
		{"the peer asks for a cookie twice", func(s *initiations) {
			s.want(start)
			s.sent(newTestInitiation(t, start), wait)
			s.takeCookie(netip.AddrPort{}, crypto.Cookie{}, start.Add(time.Millisecond))
			s.sent(newTestInitiation(t, start.Add(time.Millisecond)), wait)
			s.takeCookie(netip.AddrPort{}, crypto.Cookie{}, start.Add(2*time.Millisecond))
		}, time.Millisecond + wait},
		{"the peer asks for a cookie when ours is due", func(s *initiations) {
			s.want(start)
			s.sent(newTestInitiation(t, start), wait)
			s.takeCookie(netip.AddrPort{}, crypto.Cookie{}, start.Add(2*wait))
		}, wait},
		{"the peer asks for a cookie in each of two exchanges", func(s *initiations) {
			for _, at := range []time.Time{start.Add(-time.Hour), start} {
				s.want(at)
				s.sent(newTestInitiation(t, at), wait)
				s.takeCookie(netip.AddrPort{}, crypto.Cookie{}, at)
				if at.Before(start) {
					s.done()
				}
			}
		}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s initiations
			test.do(&s)
			if test.due < 0 {
				if s.due(start.Add(24 * time.Hour)) {
					t.Error("due")
				}
				return
			}
			at := start.Add(test.due)
			if s.due(at.Add(-1)) || !s.due(at) {
				t.Errorf("due at %v, want %v", s.next.Sub(start), test.due)
			}
		})
	}
}

// TestAnAttemptWithACookieIsTheSameAttempt: it goes to the same endpoint, and its
// wait is no longer.
func TestAnAttemptWithACookieIsTheSameAttempt(t *testing.T) {
	now := time.Unix(1000, 0)
	var s initiations
	s.want(now)
	for n := range 3 {
		s.sent(newTestInitiation(t, now), time.Second)
		s.takeCookie(netip.AddrPort{}, crypto.Cookie{}, now)
		if s.attempts != n { // the first is made again
			t.Errorf("after initiation %d it is attempt %d", n+1, s.attempts)
		}
	}
}

func TestTheLastInitiationsMayBeAnswered(t *testing.T) {
	now := time.Unix(1000, 0)
	var s initiations
	var sent, void []initiation
	for range 10 {
		i := newTestInitiation(t, now)
		sent = append(sent, i)
		void = append(void, s.sent(i, time.Second)...)
	}
	for n, i := range sent {
		_, found := s.find(i.initiator.ID())
		last := n >= len(sent)-maxOutstanding
		if found != last || !last && void[n] != i {
			t.Errorf("initiation %d: found %v", n, found)
		}
	}
	if len(void) != 10-maxOutstanding || len(s.done()) != maxOutstanding {
		t.Errorf("%d may not be answered any more", len(void))
	}
	if _, found := s.find(sent[9].initiator.ID()); found {
		t.Error("one is found after the exchange")
	}
}

// TestManyAreCalledInTurn: each once, and no two at the same time.
func TestManyAreCalledInTurn(t *testing.T) {
	start := time.Unix(1000, 0)
	var turns turns
	list := make([]initiations, 100)
	for i := range list {
		list[i].want(start)
	}
	called := 0
	for now := start; called < len(list); now = now.Add(initiationGap / 4) {
		before := called
		for i := range list {
			if s := &list[i]; s.due(now) && s.inTurn(&turns, now) {
				called++
				s.postpone(now, time.Hour)
			}
		}
		if called > before+1 {
			t.Fatalf("%d at once", called-before)
		}
		if took := now.Sub(start); took > time.Duration(len(list))*initiationGap {
			t.Fatalf("after %v %d are called", took, called)
		}
	}
	if turn := turns.take(start.Add(time.Hour)); !turn.Equal(start.Add(time.Hour)) {
		t.Errorf("a single peer waits until %v", turn)
	}
}

// TestEachPlaceHasItsCookie: where a peer has several, a cookie is good for one of them,
// and the others' stay. They are bounded.
func TestEachPlaceHasItsCookie(t *testing.T) {
	a, b := parties(t)
	b.busy = true
	now := time.Now()
	seen := make(map[netip.AddrPort]netip.AddrPort) // by which address of a's
	for n := range byte(3) {
		seen[netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 4500)] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, n}), 4500)
	}
	for round := range 2 {
		for place, from := range seen {
			a.at = from
			a.peer.initiations.hurry(now)
			o := b.receive(a.initiate(a.peer, place, now).datagram, a, now)
			if done := o.pair != nil; done != (round == 1) {
				t.Errorf("round %d at %v: answered %v", round, place, done)
			} else if !done {
				a.receive(o.datagram, b, now)
			}
			now = now.Add(time.Millisecond)
		}
	}
	for port := range uint16(2 * maxCookies) {
		a.peer.initiations.takeCookie(netip.AddrPortFrom(a.at.Addr(), port), crypto.Cookie{}, now)
	}
	if n := len(a.peer.initiations.cookies); n != maxCookies {
		t.Errorf("%d cookies are kept", n)
	}
}
