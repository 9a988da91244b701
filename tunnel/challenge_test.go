package tunnel

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/test/clock"
)

// callers are two handshakers whose messages take a time, and whose wall clocks may
// be wrong. Time is virtual.
type callers struct {
	a, b    *party
	now     time.Time
	trip    time.Duration
	ahead   map[*party]time.Duration // of the true time
	loses   func(kind crypto.Type) bool
	flights []flight
	ever    []*flight // all messages that have arrived
	notices map[*party][]string
	up      map[*party]bool // since calls were wanted
	pairs   map[*party]int  // that its own calls have made
	answers map[*party]int  // pairs that it has made of the other's calls
}

// flight is a message on its way; nil: the first packet on a new pair.
type flight struct {
	to       *party
	datagram []byte
	arrives  time.Time
	pair     bool // it has made one
}

func newCallers(t *testing.T) *callers {
	t.Helper()
	a, b := parties(t)
	for _, p := range []*party{a, b} {
		p.peer.endpoints = []conf.Endpoint{{Host: "192.0.2.9", Port: 4500}} // called every few seconds
	}
	return &callers{a: a, b: b, now: time.Now(), trip: 10 * time.Millisecond, ahead: make(map[*party]time.Duration), notices: make(map[*party][]string),
		up: make(map[*party]bool), pairs: make(map[*party]int), answers: make(map[*party]int)}
}

// clock returns the time as a party sees it.
func (c *callers) clock(p *party) time.Time { return clock.Set(c.now, c.ahead[p]) }

func (c *callers) other(p *party) *party {
	if p == c.a {
		return c.b
	}
	return c.a
}

// restart replaces a party by one that remembers nothing but its key.
func (c *callers) restart(t *testing.T, p *party) {
	t.Helper()
	fresh := newPeer(conf.Peer{PublicKey: conf.Key(p.peer.public), Endpoints: p.peer.endpoints})
	h, err := newHandshaker(p.private, p.public, p.suites, new(spiTable).unused, []*peer{fresh}, p.random)
	if err != nil {
		t.Fatal(err)
	}
	p.handshaker, p.peer = h, fresh
	fresh.replays.Begin(c.clock(p))
}

// do carries out an outcome.
func (c *callers) do(p *party, o outcome) {
	if o.datagram != nil {
		f := flight{to: c.other(p), datagram: o.datagram, arrives: c.now.Add(c.trip)}
		if kind, _ := crypto.MessageType(o.datagram[esp.MarkerSize:]); c.loses == nil || !c.loses(kind) {
			c.flights = append(c.flights, f)
		}
	}
	if o.notice != nil {
		c.notices[p] = append(c.notices[p], o.notice.what)
	}
	if o.pair == nil {
		return
	}
	if !o.pair.initiator {
		c.answers[p]++
		return
	}
	c.pairs[p]++
	c.up[p] = true
	c.flights = append(c.flights, flight{to: c.other(p), arrives: c.now.Add(c.trip)})
}

// call has some parties call the other until both are up, and returns how long
// that takes.
func (c *callers) call(t *testing.T, who ...*party) time.Duration {
	t.Helper()
	began := c.now
	clear(c.up)
	for _, p := range who {
		p.peer.initiations.want(c.clock(p))
	}
	for !c.up[c.a] || !c.up[c.b] {
		next := began.Add(time.Hour)
		for _, p := range who {
			if s := &p.peer.initiations; s.wanted && s.next.Before(next) {
				next = s.next
			}
		}
		for _, f := range c.flights {
			if f.arrives.Before(next) {
				next = f.arrives
			}
		}
		if next.Sub(began) >= time.Minute {
			t.Fatalf("not up after a minute; %d messages have arrived", len(c.ever))
		}
		if next.After(c.now) {
			c.now = c.now.Add(next.Sub(c.now))
		}
		for _, p := range who {
			if p.peer.initiations.due(c.clock(p)) {
				c.do(p, p.initiate(p.peer, c.other(p).at, c.clock(p)))
			}
		}
		c.land(c.now)
	}
	c.land(c.now.Add(time.Hour)) // what is still under way
	return c.now.Sub(began)
}

// land delivers what arrives until the given time.
func (c *callers) land(until time.Time) {
	flights := c.flights
	c.flights = nil
	for _, f := range flights {
		switch {
		case f.arrives.After(until):
			c.flights = append(c.flights, f)
		case f.datagram == nil:
			f.to.done(f.to.peer)
			c.up[f.to] = true
		default:
			o := f.to.receive(f.datagram, c.other(f.to), c.clock(f.to))
			f.pair = o.pair != nil
			c.ever = append(c.ever, &f)
			c.do(f.to, o)
		}
	}
}

const (
	hour = time.Hour
	year = 365 * 24 * time.Hour
)

// TestClocksKeepNobodyOut: whatever the clocks say and however they are set while the
// tunnel runs, a call takes a round trip more at most, no pair is made twice, and both
// operators hear the reason, once.
func TestClocksKeepNobodyOut(t *testing.T) {
	type step struct {
		a, b     time.Duration // how far the clocks are ahead
		restarts string        // of which party
		slow     bool          // a challenge is needed
	}
	const behind, ahead = "behind", "ahead"
	for _, test := range []struct {
		name  string
		steps []step
		told  string // at both ends
	}{
		{"clocks that are right", []step{{0, 0, "", false}, {0, 0, "", false}, {0, 0, "b", false}, {0, 0, "a", false}}, ""},
		{"ten years ahead, then right", []step{{10 * year, 0, "", true}, {10 * year, 0, "", true}, {0, 0, "", false}, {0, 0, "a", false}}, ahead},
		{"an hour back after a restart", []step{{0, 0, "", false}, {-hour, 0, "a", true}, {-hour, 0, "", true}, {0, 0, "", false}}, behind},
		{"ten years back after a restart", []step{{0, 0, "", false}, {-10 * year, 0, "a", true}, {0, 0, "", false}}, behind},
		{"an hour back under way, and forward", []step{{0, 0, "", false}, {-hour, 0, "", true}, {0, 0, "", false}, {-hour, 0, "", true}, {0, 0, "", false}}, behind},
		{"ten years back under way", []step{{0, 0, "", false}, {-10 * year, 0, "", true}, {-10 * year, 0, "", true}, {0, 0, "", false}}, behind},
		{"the called one's clock jumps about", []step{{0, 0, "", false}, {0, -10 * year, "", true}, {0, 10 * year, "", false}, {0, 0, "", false}}, ahead},
		{"the called one starts without a clock", []step{{0, -50 * year, "b", true}, {0, -50 * year, "", true}, {0, 0, "", false}}, ahead},
		{"the called one restarts, the caller is an hour behind", []step{{-hour, 0, "", false}, {-hour, 0, "b", true}, {-hour, 0, "", true}}, ""},
		{"both are wrong", []step{{-10 * year, 10 * year, "", false}, {-10 * year, 10 * year, "b", true}, {10 * year, -10 * year, "a", true}, {0, 0, "", false}}, ahead},
	} {
		for _, who := range []string{"the greater key calls", "the lesser key calls"} {
			t.Run(test.name+"/"+who, func(t *testing.T) {
				c := newCallers(t)
				caller, called := c.a, c.b
				if who == "the lesser key calls" {
					caller, called = c.b, c.a
				}
				for n, s := range test.steps {
					c.ahead[caller], c.ahead[called] = s.a, s.b
					switch s.restarts {
					case "a":
						c.restart(t, caller)
					case "b":
						c.restart(t, called)
					}
					c.now = c.now.Add(2 * time.Minute)
					took := c.call(t, caller)
					want := 3 * c.trip // and the first packet
					if s.slow {
						want += 2 * c.trip
					}
					if took != want {
						t.Errorf("step %d: up after %v, want %v", n, took, want)
					}
					if c.pairs[caller] != n+1 || c.answers[called] != n+1 {
						t.Errorf("step %d: %d pairs at the caller, %d at the called", n, c.pairs[caller], c.answers[called])
					}
				}
				for _, p := range []*party{caller, called} {
					want := ""
					if kind := test.told; kind != "" {
						notices := map[*party]*clockNotices{caller: &p.peer.clocks.ours, called: &p.peer.clocks.theirs}[p]
						want = map[string]string{behind: notices.behind, ahead: notices.ahead}[kind]
					}
					if got := c.notices[p]; want == "" && len(got) > 0 || want != "" && (len(got) == 0 || got[0] != want) {
						t.Errorf("told: %q, want %q", got, want)
					}
				}
				if n := len(c.notices[called]); n > 1 {
					t.Errorf("told %d times", n)
				}
			})
		}
	}
}

// TestBothCallWithWrongClocks: at once, and with messages of every kind lost.
func TestBothCallWithWrongClocks(t *testing.T) {
	kinds := []crypto.Type{0, crypto.Initiation, crypto.Response, crypto.FreshnessChallenge}
	for _, lost := range kinds {
		for _, trip := range []time.Duration{time.Millisecond, 100 * time.Millisecond, 600 * time.Millisecond} {
			t.Run(fmt.Sprintf("%v is lost, %v one way", lost, trip), func(t *testing.T) {
				c := newCallers(t)
				c.trip = trip
				c.call(t, c.a)
				c.now = c.now.Add(time.Minute)
				c.call(t, c.b)
				c.ahead[c.a], c.ahead[c.b] = -hour, -10*year
				c.now = c.now.Add(time.Minute)
				n := 0
				c.loses = func(kind crypto.Type) bool {
					if kind == lost {
						n++
					}
					return kind == lost && n <= 2
				}
				if took := c.call(t, c.a, c.b); took > 5*time.Second+4*trip {
					t.Errorf("up after %v", took)
				}
			})
		}
	}
}

// TestAChallengeUnderLoad: a cookie first, then the challenge.
func TestAChallengeUnderLoad(t *testing.T) {
	c := newCallers(t)
	c.call(t, c.a)
	c.ahead[c.a] = -hour
	c.b.busy = true
	c.now = c.now.Add(time.Minute)
	if took, most := c.call(t, c.a), time.Second+5*c.trip; took > most {
		t.Errorf("up after %v, want %v", took, most)
	}
	kinds := make(map[crypto.Type]int)
	for _, f := range c.ever {
		kind, _ := crypto.MessageType(f.datagram[esp.MarkerSize:])
		kinds[kind]++
	}
	if kinds[crypto.CookieReply] != 1 || kinds[crypto.FreshnessChallenge] != 1 {
		t.Errorf("sent: %v", kinds)
	}
}

// TestOneChallengeIsReturnedAtOnce, of those that answer the initiations of a long
// round trip.
func TestOneChallengeIsReturnedAtOnce(t *testing.T) {
	c := newCallers(t)
	c.call(t, c.a)
	c.ahead[c.a] = -hour
	now := c.clock(c.a)
	c.a.peer.initiations.want(now)
	var challenges [][]byte
	for range maxOutstanding {
		call := c.a.initiate(c.a.peer, c.b.at, now)
		o := c.b.receive(call.datagram, c.a, c.now)
		if !errors.Is(o.err, errChallengeWanted) || o.datagram == nil || o.peer != nil {
			t.Fatalf("%+v", o)
		}
		challenges = append(challenges, o.datagram)
		now = now.Add(time.Second)
	}
	for n, challenge := range challenges[1:] {
		attempts := c.a.peer.initiations.attempts
		o := c.a.receive(challenge, c.b, now)
		if o.err != nil || (o.datagram != nil) != (n == 0) || o.datagram != nil && o.to != c.b.at {
			t.Errorf("challenge %d: %+v", n, o)
		}
		if c.a.peer.initiations.attempts != attempts {
			t.Errorf("challenge %d counts as an attempt", n)
		}
		if again := c.a.receive(challenge, c.b, now); again.datagram != nil {
			t.Errorf("challenge %d again: %+v", n, again)
		}
	}
}

// TestACopyOfAnInitiationIsNoWrongClock: of two that are under way the later is
// accepted first, and the challenge that the earlier one meets is of no use.
func TestACopyOfAnInitiationIsNoWrongClock(t *testing.T) {
	c := newCallers(t)
	c.a.peer.initiations.want(c.now)
	first := c.a.initiate(c.a.peer, c.b.at, c.now)
	c.now = c.now.Add(time.Second)
	second := c.a.initiate(c.a.peer, c.b.at, c.now)
	response := c.b.receive(second.datagram, c.a, c.now)
	if response.pair == nil {
		t.Fatalf("%+v", response)
	}
	if o := c.b.receive(second.datagram, c.a, c.now); !errors.Is(o.err, crypto.ErrReplayedInitiation) || o.datagram != nil {
		t.Errorf("the same again: %+v", o)
	}
	challenge := c.b.receive(first.datagram, c.a, c.now)
	if o := c.a.receive(challenge.datagram, c.b, c.now); !errors.Is(o.err, errOvertaken) || o.datagram != nil || o.notice != nil {
		t.Errorf("its challenge: %+v", o)
	}
	if o := c.a.receive(response.datagram, c.b, c.now); o.pair == nil || o.notice != nil {
		t.Errorf("the response: %+v", o)
	}
}

// TestAClockThatIsSetBackDuringACall: the response to the call before is lost, and the
// next is doubted because of that one.
func TestAClockThatIsSetBackDuringACall(t *testing.T) {
	c := newCallers(t)
	c.a.peer.initiations.want(c.now)
	first := c.a.initiate(c.a.peer, c.b.at, c.now)
	if lost := c.b.receive(first.datagram, c.a, c.now); lost.pair == nil {
		t.Fatalf("%+v", lost)
	}
	c.now = c.now.Add(time.Second)
	c.ahead[c.a] = -hour
	second := c.a.initiate(c.a.peer, c.b.at, c.clock(c.a))
	challenge := c.b.receive(second.datagram, c.a, c.now)
	o := c.a.receive(challenge.datagram, c.b, c.clock(c.a))
	if o.datagram == nil {
		t.Fatalf("its challenge is not returned: %+v", o)
	}
	if response := c.b.receive(o.datagram, c.a, c.now); response.pair == nil {
		t.Errorf("%+v", response)
	}
}

// TestNothingEverSentMakesTwoPairs: all messages of calls with all kinds of clocks,
// sent again to either end, in any order.
func TestNothingEverSentMakesTwoPairs(t *testing.T) {
	for run := range 20 {
		random := rand.New(rand.NewPCG(2, uint64(run)))
		c := newCallers(t)
		skews := []time.Duration{0, -hour, hour, -10 * year, 10 * year, 20 * hour}
		c.loses = func(crypto.Type) bool { return random.IntN(6) == 0 }
		replay := func(part int) {
			for _, i := range random.Perm(len(c.ever))[:len(c.ever)/part] {
				f := c.ever[i]
				for _, to := range []*party{f.to, c.other(f.to)} {
					if o := to.receive(f.datagram, c.other(to), c.clock(to)); o.pair != nil {
						if f.pair || to != f.to {
							t.Fatalf("run %d: a message to %v has made two pairs", run, to.at)
						}
						f.pair = true // it was refused before, such as for a collision
					}
				}
			}
		}
		for range 8 {
			c.ahead[c.a], c.ahead[c.b] = skews[random.IntN(len(skews))], skews[random.IntN(len(skews))]
			c.now = c.now.Add(time.Minute)
			who := [][]*party{{c.a}, {c.b}, {c.a, c.b}}[random.IntN(3)]
			c.call(t, who...)
			c.a.done(c.a.peer)
			c.b.done(c.b.peer)
			replay(2)
		}
		for range 3 {
			c.ahead[c.a], c.ahead[c.b] = skews[random.IntN(len(skews))], skews[random.IntN(len(skews))]
			replay(1)
		}
	}
}
