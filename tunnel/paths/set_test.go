package paths

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// three returns a set with three pairs of rising cost, all proved, the first in
// use.
func three(t *testing.T) (*Set, []Candidate) {
	t.Helper()
	s, home := single(t)
	offered := []Candidate{{Pair: home}}
	for i := range 2 {
		offered = append(offered, Candidate{Pair{2 + i, addr("10.0.1.1"), home.Remote}, Cost{1 + i, 0}})
	}
	s.Candidates(offered, epoch)
	for _, a := range s.Look(nil, Traffic{}, epoch) {
		s.Response(a.Token, 0, ms(20))
	}
	for _, p := range s.Status(ms(20)) {
		if p.State != Proved || p.InUse != (p.Pair == home) || !p.Ours {
			t.Fatalf("%+v", p)
		}
	}
	return s, offered
}

func current(t *testing.T, s *Set) Pair {
	t.Helper()
	p, ok := s.Current()
	if !ok {
		t.Fatal("no pair is in use")
	}
	return p
}

func TestWhatGoesIsLeftAtOnce(t *testing.T) {
	s, c := three(t)
	s.Decides(true, false, true)
	s.Withdraw(func(p Pair) bool { return p.Interface == 1 }, ms(100))
	if current(t, s) != c[1].Pair {
		t.Errorf("to %v", current(t, s))
	}
	actions := s.Look(nil, Traffic{}, ms(100))
	if !slices.ContainsFunc(actions, func(a Action) bool { return a.Pair == c[1].Pair && a.Use && a.Generation == 1 }) {
		t.Errorf("the peer is not told: %v", actions)
	}
	s.Withdraw(func(Pair) bool { return true }, ms(200))
	if _, ok := s.Current(); ok || !s.Limited() || s.Grant() > 0 || !s.Deadline().IsZero() || len(s.Look(nil, Traffic{}, ms(200))) > 0 {
		t.Error("something is left where nothing is")
	}
	s.Candidates(c[:1], ms(300))
	if current(t, s) != c[0].Pair || s.Limited() {
		t.Errorf("the pair in use is %v, limited: %v, although the place was proved", current(t, s), s.Limited())
	}
	h := s.History()
	if len(h) != 3 || h[0].Cause != CauseStart || h[1].Cause != CauseLinkDown || h[2] != (Move{ms(300), c[1].Pair, c[0].Pair, CauseLinkDown}) {
		t.Errorf("%v", h)
	}
}

// TestWhereThePeerWasHeardBecomesTheOffer: the first packet may come before the host is
// asked by which interface its answers leave. There is one path then, not two.
func TestWhereThePeerWasHeardBecomesTheOffer(t *testing.T) {
	home := Pair{1, addr("10.0.0.1"), addrPort("192.0.2.1", 4500)}
	second := Pair{2, addr("10.0.1.1"), home.Remote}
	for _, tc := range []struct {
		name  string
		heard Pair
		paths int // in the end
	}{
		{"the interface was left to the kernel", Pair{0, home.Local, home.Remote}, 2},
		{"the address, too", Pair{0, netip.Addr{}, home.Remote}, 2},
		{"it came by a third interface", Pair{3, home.Local, home.Remote}, 3},
		{"it came to another address", Pair{0, addr("10.0.2.1"), home.Remote}, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := New(Config{})
			s.Decides(false, true, false)
			s.Established(tc.heard, 20*time.Millisecond, epoch)
			s.Candidates([]Candidate{{home, Cost{0, 0}}, {second, Cost{1, 0}}}, epoch)
			if len(s.paths) != tc.paths {
				t.Fatalf("%v", s.Status(epoch))
			}
			if tc.paths > 2 {
				if current(t, s) != tc.heard {
					t.Errorf("in use is %v", current(t, s))
				}
				return
			}
			p := s.paths.find(home)
			if current(t, s) != home || p.state != Proved || !p.ours || p.cost != (Cost{0, 0}) || p.rtt.smoothed != 20*time.Millisecond || s.decided != home {
				t.Errorf("%+v", p)
			}
			if n := len(s.History()); n != 1 {
				t.Errorf("%d moves", n)
			}
			s.Withdraw(func(q Pair) bool { return q.Interface == 1 }, ms(100))
			if current(t, s) != second {
				t.Errorf("after the interface went %v is in use", current(t, s))
			}
		})
	}
}

func TestAPairThatIsOfferedNoMoreIsDoubted(t *testing.T) {
	s, c := three(t)
	s.Candidates(c[1:], ms(100))
	if current(t, s) != c[0].Pair {
		t.Fatal("it is left before another has answered")
	}
	actions := s.Look(nil, Traffic{}, ms(100))
	for _, a := range actions {
		if a.Pair != c[0].Pair {
			s.Response(a.Token, 0, ms(120))
		}
	}
	s.Look(nil, Traffic{}, ms(120))
	s.Look(nil, Traffic{}, s.Deadline())
	if current(t, s) != c[1].Pair || len(actions) != 3 {
		t.Errorf("the pair in use is %v after %v", current(t, s), actions)
	}
}

func TestAFollowerObeysWhenThePairIsProved(t *testing.T) {
	s, c := three(t)
	s.Decides(false, true, false)
	use := func(p Pair, generation uint32, now time.Time) []Action {
		s.Arrived(p, messageSize, false, now)
		s.Challenge(p, Challenge{Token: 1, Generation: generation, Use: true}, now)
		return s.Look(nil, Traffic{}, now)
	}
	a := use(c[1].Pair, 1, ms(100))
	if current(t, s) != c[1].Pair || len(a) != 1 || a[0].Kind != SendResponse || a[0].Generation != 1 || a[0].Pair != c[1].Pair {
		t.Errorf("%v, %v", current(t, s), a)
	}
	// From a place that was never heard: not before it has answered.
	far := Pair{1, c[0].Local, addrPort("203.0.113.7", 4500)}
	a = use(far, 3, ms(200))
	if current(t, s) == far || len(a) != 2 || a[0].Generation != 1 || a[1].Kind != SendChallenge || a[1].Pair != far {
		t.Fatalf("%v, %v", current(t, s), a)
	}
	s.Response(a[1].Token, 3, ms(220))
	if current(t, s) != far {
		t.Error("the place has answered, and is not used")
	}
	// Copies and older decisions change nothing.
	use(c[0].Pair, 3, ms(300))
	use(c[0].Pair, 1, ms(310))
	if current(t, s) != far {
		t.Error("an old decision is obeyed")
	}
	use(c[0].Pair, 5, ms(400))
	if current(t, s) != c[0].Pair {
		t.Error("a new decision is not obeyed")
	}
	// Who decides himself does not obey.
	s.Decides(true, true, true)
	use(c[2].Pair, 9, ms(500))
	if current(t, s) != c[0].Pair {
		t.Error("a decider obeys")
	}
}

func TestAChallengeIsAnsweredWhereItCame(t *testing.T) {
	s, c := three(t)
	for i, by := range []Pair{c[2].Pair, {9, c[0].Local, c[0].Remote}} { // the second by an interface that routes do not use
		s.Arrived(by, messageSize, false, ms(100))
		s.Challenge(by, Challenge{Token: 77}, ms(100))
		a := s.Look(nil, Traffic{}, ms(100))
		want := []Pair{c[2].Pair, c[0].Pair}[i]
		if len(a) != 1 || a[0].Kind != SendResponse || a[0].Pair != want || a[0].Token != 77 {
			t.Errorf("%v", a)
		}
	}
	if len(s.paths) != 3 || current(t, s) != c[0].Pair {
		t.Errorf("%v", s.Status(ms(100)))
	}
}

func TestAHandshakeProvesItsPair(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lost  bool // the pair in use answers nothing
		moves bool
	}{
		{"while the pair in use answers", false, false},
		{"while the pair in use answers nothing", true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, c := three(t)
			s.Established(c[1].Pair, 0, ms(1000))
			for now := ms(1000); now.Before(ms(1500)); now = now.Add(5 * time.Millisecond) {
				for _, a := range s.Look(nil, Traffic{}, now) {
					if !tc.lost {
						s.Response(a.Token, 0, now)
					}
				}
			}
			if moved := current(t, s) == c[1].Pair; moved != tc.moves {
				t.Errorf("the pair in use is %v: %v", current(t, s), s.History())
			}
		})
	}
}

func TestWhomToCallFirst(t *testing.T) {
	s, c := three(t)
	pairs := func() (all []Pair) { return s.Order(nil, ms(100)) }
	if got := pairs(); !slices.Equal(got, []Pair{c[0].Pair, c[1].Pair, c[2].Pair}) {
		t.Errorf("%v", got)
	}
	s.paths.find(c[1].Pair).fail()
	s.Arrived(Pair{1, c[0].Local, addrPort("198.51.100.66", 1)}, 100, false, ms(90))
	if got := pairs(); !slices.Equal(got, []Pair{c[0].Pair, c[2].Pair, c[1].Pair}) {
		t.Errorf("%v, want the one that failed last, and nobody's place not at all", got)
	}
	s.current.fail()
	if got := pairs(); !slices.Equal(got, []Pair{c[2].Pair, c[1].Pair, c[0].Pair}) {
		t.Errorf("%v", got)
	}
	lone := New(Config{Random: func() uint64 { return 7 }})
	lone.Arrived(Pair{1, c[0].Local, addrPort("198.51.100.66", 1)}, 100, false, ms(90))
	if got := lone.Order(nil, ms(100)); len(got) > 0 {
		t.Errorf("%v, in use without a proof", got)
	}
}

func TestCandidatesAreBounded(t *testing.T) {
	s, home := single(t)
	var offered []Candidate
	for i := range 100 {
		offered = append(offered, Candidate{Pair{1, home.Local, addrPort("192.0.2.1", uint16(i))}, Cost{i % 7, i}})
	}
	for range 3 {
		s.Candidates(offered, epoch)
		for i := range uint16(100) {
			s.Arrived(Pair{1, home.Local, addrPort("198.51.100.1", i)}, 100, true, epoch)
		}
		slices.Reverse(offered)
	}
	ours := 0
	for _, p := range s.paths {
		if p.ours {
			ours++
		}
	}
	if len(s.paths) != maxPaths || ours != maxOurs || current(t, s) != home {
		t.Errorf("%d paths, %d of them ours, %v in use", len(s.paths), ours, current(t, s))
	}
}

func TestStandbysRestWithoutData(t *testing.T) {
	for _, keepalive := range []bool{false, true} {
		s, _ := three(t)
		s.cfg.Keepalive = keepalive
		var at []time.Time
		for {
			now := s.Deadline()
			if now.IsZero() || now.Sub(epoch) > 10*time.Minute {
				break
			}
			if len(at) > 1000 {
				t.Fatal("no end")
			}
			for _, a := range s.Look(nil, Traffic{}, now) {
				s.Response(a.Token, 0, now)
				at = append(at, now)
			}
		}
		last := time.Duration(0)
		if len(at) > 0 {
			last = at[len(at)-1].Sub(epoch)
		}
		if keepalive && last < 9*time.Minute || !keepalive && (last > activeFor || len(at) != 6) {
			t.Errorf("keepalive %v: %d challenges, the last after %v", keepalive, len(at), last)
		}
	}
}

// TestOnePairIsOnePairAgain some time after the peer was seen elsewhere.
func TestOnePairIsOnePairAgain(t *testing.T) {
	s, home := single(t)
	s.Arrived(Pair{1, home.Local, addrPort("198.51.100.66", 1)}, 100, false, epoch)
	if len(s.paths) != 2 {
		t.Fatalf("%v", s.Status(epoch))
	}
	now := epoch.Add(ghostAfter + time.Second)
	var traffic Traffic
	for range 100 {
		traffic.Sent++ // and nothing is heard
		if a := s.Look(nil, traffic, now); len(a) > 0 {
			t.Fatalf("%v", a)
		}
		now = now.Add(100 * time.Millisecond)
	}
	if len(s.paths) != 1 || !s.Deadline().IsZero() {
		t.Errorf("%v, a deadline at %v", s.Status(now), s.Deadline())
	}
}
