package paths

import "time"

// Config holds what does not change.
type Config struct {
	// Random draws the tokens of challenges. They must be unpredictable. Required.
	Random func() uint64
	// Keepalive keeps the pairs that are not in use proved even while no data flows.
	Keepalive bool
}

// A Set holds the pairs of one peer, and names the one in use. Its state depends
// on its inputs alone: it does no I/O and reads no clock. All its methods belong
// to one goroutine.
//
// It works while an SA is up, since challenges travel inside ESP. After any call
// the caller sends what Look returns, compares Current with the pair that it uses,
// and calls Look again at Deadline at the latest.
type Set struct {
	cfg     Config
	role    Role
	greater bool // our public key, of the two

	paths   list
	current *path // nil: there is none
	lost    Pair  // the last one in use, while there is none
	flapped flapped

	// What is known of the peer, whichever pair is in use.
	places    provedPlaces
	strangers strangers // the places that are not among them

	// Whether the pair in use works, and which other does.
	silence silence
	contest contest
	// appeals: the peer is told that its pair may have failed, until it answers.
	appeals bool

	decision decision
	decided  Pair // what a follower was last told to use
	history  history
	moved    time.Time // the last move
	// promised is the Deadline that the last Look left.
	promised time.Time
	// active is until when the other pairs are kept proved.
	active time.Time
}

// New returns a Set without pairs.
func New(cfg Config) *Set { return &Set{cfg: cfg} }

// Keepalive changes Config.Keepalive.
func (s *Set) Keepalive(on bool) { s.cfg.Keepalive = on }

// Decides says, after a handshake, which ends have several pairs of their own and
// want to decide, and whose public key is the greater one.
func (s *Set) Decides(we, peer, oursIsGreater bool) {
	s.role, s.greater = roleOf(we, peer, oursIsGreater), oursIsGreater
	if s.role != Decider {
		s.decision.untold = false
	}
}

// Role returns who decides.
func (s *Set) Role() Role { return s.role }

// Current returns the pair to send by, false if there is none.
func (s *Set) Current() (Pair, bool) {
	if s.current == nil {
		return Pair{}, false
	}
	return s.current.Pair, true
}

// Established says that a handshake has gone both ways by a pair, which proves it.
// For a responder that is the case when the first packet comes on the new SA.
// roundTrip is zero where it was not measured.
func (s *Set) Established(by Pair, roundTrip time.Duration, now time.Time) {
	p := s.learn(by, now)
	if p == nil {
		return
	}
	p.rtt.sample(roundTrip)
	s.proved(p, now, now)
	s.active = now.Add(activeFor)
	switch {
	case p == s.current:
	case s.current == nil || s.limited(s.current):
		s.move(p, CauseStart, now)
	default:
		s.roam(p, now)
	}
}

// Arrived takes in that an authentic packet of so many bytes of outer IP packet
// has come by a pair: the interface and the address that it reached, and where it
// came from. moves says that its sequence number was the highest so far, and that
// it was no path challenge or response (RFC 9000 section 9.1 calls those probing
// packets). It need not be told of every packet that comes by the pair in use.
func (s *Set) Arrived(by Pair, bytes int, moves bool, now time.Time) {
	p := s.learn(by, now)
	if p == nil {
		return
	}
	p.heard = now
	p.allowance.came += uint64(max(bytes, 0))
	switch {
	case s.current == nil:
		s.move(p, CausePeer, now)
	case moves && p != s.current:
		s.roam(p, now)
	case p == s.current && s.limited(p):
		p.hurry(s.timeout(p), now) // it is alive, and gets little until it is proved
	}
}

// A Challenge is one of the peer's.
type Challenge struct {
	Token      uint64
	Generation uint32
	// Use says that the peer decides, and that both ends are to send by the pair.
	Use bool
	// Stalled says that what this end sends may not reach the peer.
	Stalled bool
}

// Challenge takes in a challenge that came by a pair. Arrived was called before.
func (s *Set) Challenge(by Pair, c Challenge, now time.Time) {
	p := s.learn(by, now)
	if p == nil {
		return
	}
	p.owe(c.Token)
	if p.state != Proved || now.Sub(p.confirmed) > refreshAfter {
		p.hurry(s.timeout(p), now)
	}
	if g := generation(c.Generation); c.Use && s.role == Follower && s.decision.hear(g) {
		p.told = g
		s.obey(p, now)
	}
	if c.Stalled && p != s.current {
		// What the peer sent before it knew of the last move need not be true any more.
		if known := s.moved.Add(2 * s.rttInUse().timeout()); now.Before(known) {
			s.contest.alarms[stalled].putOff(CausePeer, known, now)
		} else {
			s.begin(stalled, CausePeer, now)
		}
	}
}

// Response takes in the answer to a challenge. It proves the pair by which the
// challenge left, whichever pair it came by itself (RFC 9000 section 8.2.3): that
// may be another one, where somebody forwards copies.
func (s *Set) Response(token uint64, carries uint32, now time.Time) {
	for _, p := range s.paths {
		left, ok := p.answer(token, now)
		if !ok {
			continue
		}
		if p.tells(left) {
			p.rtt.sample(now.Sub(left))
		}
		if !left.Before(p.wanted) {
			p.rest()
		}
		if p == s.current {
			s.appeals = false
			s.contest.callOff(left)
		} else {
			p.steady.answer(s.flows(now) && isFaster(p.rtt.smoothed, s.rttInUse().smoothed), now)
		}
		if s.role == Decider {
			s.decision.confirm(generation(carries), s.greater, now)
		}
		s.proved(p, left, now)
		return
	}
}

// proved takes in that the peer has answered by a path what left at a time.
func (s *Set) proved(p *path, left, now time.Time) {
	p.proves(left, now)
	s.places.add(p.Remote)
	s.obey(p, now)
}

// obey follows the decider to a proved path, if that is the latest decision.
func (s *Set) obey(p *path, now time.Time) {
	d := &s.decision
	if s.role != Follower || p.told != d.heard || !d.heard.newer(d.generation) || p.stateAt(now) != Proved {
		return
	}
	d.generation, s.decided = d.heard, p.Pair
	if p != s.current {
		s.move(p, CausePeer, now)
		return
	}
	s.contest.forget() // whatever it was about, the decider knows better
}

// move makes a path the one in use.
func (s *Set) move(to *path, cause Cause, now time.Time) {
	from, srtt := s.lost, to.rtt.smoothed
	if srtt == 0 {
		srtt = s.rttInUse().smoothed // of the former
	}
	if s.current != nil {
		from = s.current.Pair
		s.current.rest()
	}
	s.history.add(Move{At: now, From: from, To: to.Pair, Cause: cause})
	s.current, s.lost = to, Pair{}
	s.moved, s.active = now, now.Add(activeFor)
	s.contest.forget()
	s.silence.begin(now)
	if cause.voluntary() {
		to.steady.chosen = now
	}
	if cause == CauseStart {
		s.decided = to.Pair
		return
	}
	s.contest.alarms[elsewhere].next = now.Add(alarmRoundTrips * srtt)
	if s.role == Decider {
		s.decision.decide(s.greater, now)
	} else if cause != CausePeer && !cause.voluntary() {
		s.appeals = true
		to.want(now)
	}
	if to.stateAt(now) != Proved {
		to.hurry(s.timeout(to), now)
	}
}

// rttInUse returns the round-trip estimate of the pair in use.
func (s *Set) rttInUse() rtt {
	if t := &s.silence.traffic; t.SRTT > 0 {
		return rtt{t.SRTT, t.RTTVAR}
	}
	if s.current == nil {
		return rtt{}.orInitial()
	}
	return s.current.rtt.orInitial()
}

// limited reports whether a path leads to a place where the peer was never proved
// to be.
func (s *Set) limited(p *path) bool {
	return p.state != Proved && p.state != Stale && !s.places.has(p.Remote)
}

// Grant returns how many bytes of outer IP packets may now be sent by the pair in use,
// beside what it has granted before and challenges and responses. It takes them as
// sent: what is granted is for that pair alone. Call it after Look, whose challenge
// comes first, and while Limited says so: a proved place gets what it likes.
func (s *Set) Grant() int {
	if !s.Limited() || s.current == nil {
		return 0
	}
	return s.current.allowance.grant()
}

// Limited reports whether no more may be sent, by the pair in use, than Grant says.
func (s *Set) Limited() bool { return s.current == nil || s.limited(s.current) }

// Proved reports whether the peer has of late answered by the pair in use.
func (s *Set) Proved(now time.Time) bool { return s.current != nil && s.current.stateAt(now) == Proved }
