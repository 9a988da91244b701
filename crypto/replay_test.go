package crypto

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"fathom/test/clock"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// caller is an initiator whose clock may be wrong: it returns the challenges that
// it gets.
type caller struct {
	*ends
	challenge Challenge
	random    *rand.ChaCha8
}

// initiation returns the next initiation, at a time that its clock tells.
func (c *caller) initiation(t testing.TB, now time.Time) (*Initiator, []byte) {
	t.Helper()
	i, err := NewInitiator(c.alice, c.bobPublic, PresharedKey{}, c.random)
	if err != nil {
		t.Fatal(err)
	}
	i.Return(c.challenge, now)
	c.challenge = Challenge{}
	message, err := i.Initiation(nil, aliceOffer, Cookie{}, now)
	if err != nil {
		t.Fatal(err)
	}
	return i, message
}

// judge has the responder decide on an initiation, and answer it with a challenge
// if there is one.
func (e *ends) judge(t testing.TB, g *ReplayGuard, message []byte, now time.Time) (doubt Doubt, challenge []byte, err error) {
	t.Helper()
	pending, err := e.responder.Open(message)
	if err != nil {
		t.Fatal(err)
	}
	doubt, err = e.responder.Accept(g, pending, now)
	if errors.Is(err, ErrChallengeRequired) {
		if challenge, err := e.responder.Challenge(nil, pending, doubt, now); err == nil {
			return doubt, challenge, ErrChallengeRequired
		}
		t.Fatal(err)
	}
	return doubt, nil, err
}

// TestDoubts goes through what the clocks of both ends may do. In each step the
// clocks are set, some time passes, and a call is made; the responder doubts it or
// does not, and a call that returns the challenge is accepted in any case.
func TestDoubts(t *testing.T) {
	type step struct {
		caller, called time.Duration // how far the clocks are ahead
		restart        bool          // of the responder
		want           DoubtKind
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"clocks that are right", []step{{0, 0, false, NoDoubt}, {0, 0, false, NoDoubt}, {0, 0, true, NoDoubt}, {0, 0, false, NoDoubt}}},
		{"a caller an hour ahead", []step{{time.Hour, 0, false, NoDoubt}, {time.Hour, 0, false, NoDoubt}}},
		{"a caller an hour behind", []step{{-time.Hour, 0, false, NoDoubt}, {-time.Hour, 0, false, NoDoubt}}},
		{"a caller that is set back an hour", []step{
			{0, 0, false, NoDoubt}, {-time.Hour, 0, false, ClockBehind}, {-time.Hour, 0, false, ClockBehind}, {0, 0, false, NoDoubt}}},
		{"a caller that was in another time zone", []step{{14 * time.Hour, 0, false, NoDoubt}, {0, 0, false, ClockBehind}}},
		{"a caller that was ten years ahead", []step{
			{0, 0, false, NoDoubt}, {10 * year, 0, false, ClockAhead}, {10 * year, 0, false, ClockAhead}, {0, 0, false, NoDoubt}, {0, 0, false, NoDoubt}}},
		{"a caller that is ten years ahead from the start", []step{{10 * year, 0, false, ClockAhead}, {0, 0, false, NoDoubt}}},
		{"a caller that was ten years behind", []step{
			{0, 0, false, NoDoubt}, {-10 * year, 0, false, ClockBehind}, {-10 * year, 0, false, ClockBehind}, {0, 0, false, NoDoubt}}},
		{"a called one that was ten years behind", []step{
			{0, -10 * year, false, ClockAhead}, {0, -10 * year, false, ClockAhead}, {0, 0, false, NoDoubt}, {0, 0, false, NoDoubt}}},
		{"a called one that is set back ten years", []step{
			{0, 0, false, NoDoubt}, {0, -10 * year, false, ClockAhead}, {0, 0, false, NoDoubt}}},
		{"a called one that is ten years ahead", []step{{0, 10 * year, false, NoDoubt}, {0, 10 * year, false, NoDoubt}, {0, 0, false, NoDoubt}}},
		{"both were ten years ahead", []step{{10 * year, 10 * year, false, NoDoubt}, {0, 0, false, ClockBehind}, {0, 0, false, ClockBehind}}},
		{"both are ten years behind", []step{{-10 * year, -10 * year, false, NoDoubt}, {-10 * year, -10 * year, false, NoDoubt}, {0, 0, false, NoDoubt}}},
		{"a called one that starts again", []step{{0, 0, false, NoDoubt}, {0, 0, true, NoDoubt}}},
		{"the same with a caller that is behind", []step{{0, 0, false, NoDoubt}, {-time.Hour, 0, true, BeforeStart}, {0, 0, false, NoDoubt}}},
		{"a called one that started ten years ahead", []step{{0, 10 * year, true, BeforeStart}, {0, 0, false, NoDoubt}, {0, 0, false, NoDoubt}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &caller{ends: newEnds(t), random: seeded(9)}
			var g ReplayGuard
			now := time.Now()
			for n, s := range test.steps {
				if s.restart {
					c.restart(t)
					g = ReplayGuard{}
					g.Begin(clock.Set(now, s.called))
				}
				now = now.Add(time.Minute)
				i, message := c.initiation(t, clock.Set(now, s.caller))
				doubt, challenge, err := c.judge(t, &g, message, clock.Set(now, s.called))
				if doubt.Kind != s.want || (err == nil) != (s.want == NoDoubt) {
					t.Fatalf("step %d: %v, %v", n, doubt, err)
				}
				if err == nil {
					continue
				}
				now = now.Add(time.Second)
				if c.challenge, err = i.ConsumeChallenge(challenge); err != nil || c.challenge.Doubt != doubt {
					t.Fatalf("step %d: %v, %v", n, c.challenge.Doubt, err)
				}
				_, message = c.initiation(t, clock.Set(now, s.caller))
				if dispelled, _, err := c.judge(t, &g, message, clock.Set(now, s.called)); err != nil || dispelled.Kind != s.want && s.want != BeforeStart {
					t.Errorf("step %d, with the challenge: %v, %v", n, dispelled, err)
				}
				if _, _, err := c.judge(t, &g, message, clock.Set(now, s.called)); !errors.Is(err, ErrReplayedInitiation) {
					t.Errorf("step %d, the same again: %v", n, err)
				}
			}
		})
	}
}

// restart replaces the responder by one that remembers nothing.
func (e *ends) restart(t testing.TB) {
	t.Helper()
	e.seed[0]++ // or it would draw the same secrets again
	var err error
	if e.responder, err = NewResponder(e.bob, rand.NewChaCha8(e.seed)); err != nil {
		t.Fatal(err)
	}
}

// TestNoInitiationIsAcceptedTwice lets the clocks of both ends jump about while
// handshakes succeed, fail and lose messages, and somebody sends again whatever was
// ever sent, in any order, before a restart and after it. Only what is of a later
// time than the restart may be accepted once more after it.
func TestNoInitiationIsAcceptedTwice(t *testing.T) {
	runs := 60
	if testing.Short() {
		runs = 10
	}
	for run := range runs {
		random := rand.New(rand.NewPCG(1, uint64(run)))
		c := &caller{ends: newEnds(t), random: rand.NewChaCha8([32]byte{byte(run), byte(run >> 8)})}
		var g ReplayGuard
		now := time.Now()
		var callers, called time.Duration
		g.Begin(now)
		jump := func(clock *time.Duration) {
			steps := []time.Duration{0, 0, time.Second, time.Hour, 20 * time.Hour, 2 * day, 10 * year}
			*clock = steps[random.IntN(len(steps))] * time.Duration(1-2*random.IntN(2))
		}
		type sent struct {
			pending   *Pending
			timestamp uint64
			accepted  int // in which run of the responder, counted from 1; 0: in none
		}
		var ever []*sent
		starts := 1
		deliver := func(s *sent) (Doubt, error) {
			doubt, err := c.responder.Accept(&g, s.pending, clock.Set(now, called))
			if err == nil {
				if s.accepted == starts || s.accepted > 0 && s.timestamp < g.began {
					t.Fatalf("run %d: an initiation of %d was accepted twice", run, len(ever))
				}
				s.accepted = starts
			}
			return doubt, err
		}
		replay := func() {
			for range random.IntN(6) {
				if len(ever) > 0 {
					deliver(ever[random.IntN(len(ever))])
				}
			}
		}
		for range 30 {
			now = now.Add(time.Duration(random.Int64N(int64(4 * challengeLifetime))))
			if random.IntN(4) == 0 {
				jump(&callers)
			}
			if random.IntN(4) == 0 {
				jump(&called)
			}
			if random.IntN(15) == 0 {
				c.restart(t)
				g = ReplayGuard{}
				g.Begin(clock.Set(now, called))
				starts++
			}
			// A call: at most two messages, each of which may be lost.
			for range 2 {
				now = now.Add(time.Duration(1 + random.Int64N(int64(time.Second))))
				i, message := c.initiation(t, clock.Set(now, callers))
				pending, err := c.responder.Open(message)
				if err != nil {
					t.Fatal(err)
				}
				s := &sent{pending: pending, timestamp: i.Timestamp()}
				ever = append(ever, s)
				replay()
				if random.IntN(5) == 0 {
					continue
				}
				doubt, err := deliver(s)
				replay()
				if s.accepted == starts {
					break
				}
				if !errors.Is(err, ErrChallengeRequired) {
					t.Fatalf("run %d: an honest call is refused: %v", run, err)
				}
				challenge, err := c.responder.Challenge(nil, pending, doubt, now)
				if err != nil {
					t.Fatal(err)
				}
				if c.challenge, err = i.ConsumeChallenge(challenge); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 3 {
			now = now.Add(challengeLifetime)
			jump(&called)
			random.Shuffle(len(ever), func(i, j int) { ever[i], ever[j] = ever[j], ever[i] })
			for _, s := range ever {
				deliver(s)
			}
		}
	}
}

func TestDoubtsSayWhy(t *testing.T) {
	for _, test := range []struct {
		doubt Doubt
		want  string
	}{
		{Doubt{}, "the timestamp is new"},
		{Doubt{ClockBehind, 1e9, 3e9}, "the timestamp is 2s older than one before"},
		{Doubt{ClockAhead, 3e9, 1e9}, "the timestamp is 2s in the future"},
		{Doubt{BeforeStart, 0, 1e9}, "the timestamp is 1s older than the start of this end"},
		{Doubt{9, 0, 1<<64 - 1}, "doubt 9"},
	} {
		if got := test.doubt.String(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	if gap := (Doubt{ClockAhead, 1<<64 - 1, 0}).Gap(); gap <= 0 {
		t.Errorf("the largest gap is %v", gap)
	}
}
