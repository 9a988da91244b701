package tunnel

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"testing"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
)

// party is a handshaker with one peer, the other party.
type party struct {
	*handshaker
	peer *peer
	at   netip.AddrPort
	busy bool // the gate wants a proof of the sender's address
}

// parties returns two handshakers that know each other. The first has the
// greater public key.
func parties(t *testing.T) (a, b *party) {
	t.Helper()
	keys := make([]crypto.PrivateKey, 2)
	public := make([]crypto.PublicKey, 2)
	for i := range keys {
		var err error
		if keys[i], err = crypto.GeneratePrivateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
		if public[i], err = keys[i].Public(); err != nil {
			t.Fatal(err)
		}
	}
	if public[0].Compare(public[1]) < 0 {
		keys[0], keys[1], public[0], public[1] = keys[1], keys[0], public[1], public[0]
	}
	newParty := func(i int, at string) *party {
		p := newPeer(conf.Peer{PublicKey: conf.Key(public[1-i])})
		h, err := newHandshaker(keys[i], public[i], []uint16{uint16(esp.AES256GCM), uint16(esp.ChaCha20Poly1305)}, new(spiTable).unused, []*peer{p}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return &party{h, p, netip.MustParseAddrPort(at), false}
	}
	return newParty(0, "192.0.2.1:4500"), newParty(1, "192.0.2.2:4500")
}

// receive takes in a datagram of the other party's, which the gate lets through.
func (p *party) receive(datagram []byte, from *party, now time.Time) outcome {
	message := datagram[esp.MarkerSize:]
	if kind, _ := crypto.MessageType(message); kind != crypto.Initiation {
		return p.handleAnswer(message, from.at, now)
	}
	if p.busy && !p.responder.Load().Proves(message, from.at, now) {
		reply, err := p.responder.Load().CookieReply(esp.AppendMarker(nil), message, from.at, now)
		return outcome{datagram: reply, to: from.at, err: err}
	}
	pending, err := p.responder.Load().Open(message)
	if err != nil {
		return outcome{err: err}
	}
	return p.handleInitiation(pending, from.at, now)
}

// outstanding counts the initiations that may still be answered.
func (p *party) outstanding() (n int) {
	p.initiators.peers.Range(func(any, any) bool { n++; return true })
	return n
}

// TestHandshakes joins two handshakers in memory.
func TestHandshakes(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	const trip = 30 * time.Millisecond // one way
	warns := func(what string, cause error) func(error) bool {
		return func(err error) bool {
			var w *warning
			return errors.As(err, &w) && w.what == what && w.hint != "" && errors.Is(w.cause, cause)
		}
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	tests := []struct {
		name  string
		spoil func(a, b *party)
		// answers says that b answers the initiation, completes that a then
		// makes a pair; a wrong outcome's error is checked by failure.
		answers, completes bool
		failure            func(error) bool
	}{
		{"two that know each other", func(a, b *party) {}, true, true, nil},
		{"a preshared key on one side alone", func(a, b *party) { a.peer.preshared = crypto.PresharedKey{1} }, true, false, warns("peer's answer is not authentic", crypto.ErrAuth)},
		{"a caller that is unknown", func(a, b *party) { clear(b.peers) }, false, false, warns("handshake from a stranger", nil)},
		{"no cipher in common", func(a, b *party) { a.suites, b.suites = a.suites[:1], a.suites[1:] }, false, false, warns("no cipher in common", crypto.ErrNoCommonSuite)},
		{"an SPI that is reserved", func(a, b *party) { a.newSPI = func() uint32 { return 255 } }, false, false, func(err error) bool { return err != nil }},
		{"an answer with an SPI that is reserved", func(a, b *party) { b.newSPI = func() uint32 { return 255 } }, false, false, func(err error) bool { return err != nil }},
		{"a caller that has called too often", func(a, b *party) {
			b.peer.called.interval, b.peer.called.burst = time.Hour, 1
			b.peer.called.allow(start)
		}, false, false, is(errTooOften)},
		{"an initiation that crosses one of the greater key", func(a, b *party) {
			b.peer.initiations.want(start)
			b.initiate(b.peer, a.at, start)
		}, true, true, nil},
		{"a timestamp of the past", func(a, b *party) { b.peer.replays.Begin(start.Add(1)) }, false, false, is(errChallengeWanted)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := parties(t)
			test.spoil(a, b)
			a.peer.initiations.want(start)
			call := a.initiate(a.peer, b.at, start)
			if call.err != nil || call.datagram == nil || call.to != b.at || call.pair != nil || !b.responder.Load().Recognizes(call.datagram[esp.MarkerSize:]) {
				t.Fatalf("the initiation: %+v", call)
			}
			answer := b.receive(call.datagram, a, start.Add(trip))
			if (answer.pair != nil) != test.answers {
				t.Fatalf("the answer: %+v", answer)
			}
			if !test.answers {
				if answer.err == nil || !test.failure(answer.err) {
					t.Errorf("the error: %v", answer.err)
				}
				return
			}
			if answer.err != nil || answer.to != a.at || answer.peer != b.peer || answer.pair.initiator || answer.pair.answered != a.at {
				t.Fatalf("the answer: %+v", answer)
			}
			last := a.receive(answer.datagram, b, start.Add(2*trip))
			if (last.pair != nil) != test.completes || last.datagram != nil {
				t.Fatalf("the end: %+v", last)
			}
			if !test.completes {
				if !test.failure(last.err) || !a.peer.initiations.wanted {
					t.Errorf("the error: %v", last.err)
				}
				return
			}
			if last.err != nil || last.peer != a.peer || !last.pair.initiator || last.pair.rtt != 2*trip || a.peer.initiations.wanted {
				t.Errorf("the end: %+v", last)
			}
			if last.keys.SendSPI != answer.keys.ReceiveSPI || last.keys.Send != answer.keys.Receive || last.keys.Receive != answer.keys.Send {
				t.Error("the keys differ")
			}
			if again := a.receive(answer.datagram, b, start.Add(3*trip)); again.pair != nil || !errors.Is(again.err, errUnknownID) {
				t.Errorf("the answer again: %+v", again)
			}
			if n := a.outstanding(); n != 0 {
				t.Errorf("%d initiations are still known", n)
			}
		})
	}
}

// TestHandshakesThatCrossAgreeOnTheHigher: both ends call at once, and know, each
// by itself, which of the two pairs is the higher.
func TestHandshakesThatCrossAgreeOnTheHigher(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	greater, lesser := parties(t)
	greater.peer.initiations.want(now)
	lesser.peer.initiations.want(now)
	first, second := greater.initiate(greater.peer, lesser.at, now), lesser.initiate(lesser.peer, greater.at, now)
	toSecond := greater.receive(second.datagram, lesser, now)
	toFirst := lesser.receive(first.datagram, greater, now)
	if toFirst.pair == nil || toSecond.pair == nil {
		t.Fatalf("%+v and %+v", toFirst, toSecond)
	}
	if lesser.peer.initiations.due(now.Add(400 * time.Millisecond)) {
		t.Error("an end calls again at once")
	}
	atGreater, atLesser := greater.receive(toFirst.datagram, lesser, now), lesser.receive(toSecond.datagram, greater, now)
	if atGreater.pair == nil || atLesser.pair == nil {
		t.Fatalf("%+v and %+v", atGreater, atLesser)
	}
	for name, pairs := range map[string][2]*saPair{
		"the pair of the greater key": {atGreater.pair, toFirst.pair},
		"the pair of the lesser key":  {atLesser.pair, toSecond.pair},
	} {
		if pairs[0].rank != pairs[1].rank {
			t.Errorf("%s is %+v at one end and %+v at the other", name, pairs[0].rank, pairs[1].rank)
		}
	}
	if !atLesser.pair.rank.below(atGreater.pair.rank) {
		t.Errorf("%+v is not below %+v", atLesser.pair.rank, atGreater.pair.rank)
	}
}

// TestAPeerOfAnOlderVersionSaysNoGeneration: its pairs replace one another by their
// age.
func TestAPeerOfAnOlderVersionSaysNoGeneration(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a, b := parties(t)
	offer := crypto.Offer{SPI: 0x1234, Suites: a.suites}
	for n := range uint64(3) {
		now = now.Add(time.Second)
		old, err := crypto.NewInitiator(b.private, a.public, crypto.PresharedKey{}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		call, err := old.Initiation(esp.AppendMarker(nil), offer, crypto.Cookie{}, now)
		if err != nil {
			t.Fatal(err)
		}
		answered := a.receive(call, b, now)
		if answered.pair == nil || answered.pair.rank.generation != 2*n+1 {
			t.Fatalf("the answer: %+v", answered)
		}
		a.peer.sas.add(answered.pair, now)

		a.peer.initiations.want(now)
		pending, err := b.responder.Load().Open(a.initiate(a.peer, b.at, now).datagram[esp.MarkerSize:])
		if err != nil {
			t.Fatal(err)
		}
		offer.Suites = a.suites
		response, _, err := pending.Respond(esp.AppendMarker(nil), crypto.PresharedKey{}, offer)
		if err != nil {
			t.Fatal(err)
		}
		asked := a.receive(response, b, now)
		if asked.pair == nil || asked.pair.rank.generation != 2*n+2 {
			t.Fatalf("the end: %+v", asked)
		}
		if a.peer.sas.add(asked.pair, now); a.peer.sas.current != asked.pair {
			t.Error("it is not sent on")
		}
	}
}

// TestWhatIsAnsweredIsAboveWhatIsAsked: if the peer has restarted, it may have
// answered an initiation before, and the answer may be late.
func TestWhatIsAnsweredIsAboveWhatIsAsked(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a, before := parties(t)
	a.peer.initiations.want(now)
	late := before.receive(a.initiate(a.peer, before.at, now).datagram, a, now)
	after := &party{before.handshaker, before.peer, before.at, false}
	after.peer.sas.clear()
	after.peer.initiations.want(now)
	answered := a.receive(after.initiate(after.peer, a.at, now).datagram, after, now)
	if answered.pair == nil || late.pair == nil || !late.pair.rank.below(answered.pair.rank) {
		t.Errorf("%+v is not below %+v", late.pair, answered.pair)
	}
}

// TestABadCookieReplyLeavesTheGoodCookie: it may be forged.
func TestABadCookieReplyLeavesTheGoodCookie(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a, b := parties(t)
	b.busy = true
	a.peer.initiations.want(now)
	reply := b.receive(a.initiate(a.peer, b.at, now).datagram, a, now).datagram
	if o := a.receive(reply, b, now); o.err != nil {
		t.Fatal(o.err)
	}
	reply[len(reply)-1]++
	if o := a.receive(reply, b, now); !errors.Is(o.err, crypto.ErrAuth) {
		t.Fatalf("a forged one: %v", o.err)
	}
	now = now.Add(time.Second)
	if o := b.receive(a.initiate(a.peer, b.at, now).datagram, a, now); o.pair == nil {
		t.Errorf("with the cookie: %+v", o)
	}
}

// TestNoAnswerIsWorthAWarning once, and a reminder now and then. A peer that has an
// endpoint is called every few seconds, one that calls itself ever more rarely.
func TestNoAnswerIsWorthAWarning(t *testing.T) {
	for _, test := range []struct {
		name      string
		endpoints []conf.Endpoint
		longest   time.Duration
	}{
		{"a peer with an endpoint", []conf.Endpoint{{Host: "192.0.2.2", Port: 4500}}, 7 * time.Second},
		{"a roaming peer", nil, 75 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Unix(1_700_000_000, 0)
			a, b := parties(t)
			a.peer.endpoints = test.endpoints
			a.peer.initiations.want(start)
			now, warnings, longest := start, 0, time.Duration(0)
			for n := 1; now.Sub(start) < 10*time.Hour; n++ {
				now = a.peer.initiations.next
				o := a.initiate(a.peer, b.at, now)
				if o.datagram == nil {
					t.Fatalf("attempt %d: %+v", n, o)
				}
				if o.err != nil {
					warnings++
				}
				if warnings != 0 != (n >= complainAfter) {
					t.Errorf("attempt %d: %d warnings", n, warnings)
				}
				wait := a.peer.initiations.next.Sub(now)
				if longest = max(longest, wait); wait < 500*time.Millisecond || wait > test.longest {
					t.Errorf("attempt %d: the next after %v", n, wait)
				}
			}
			if warnings != 10 {
				t.Errorf("%d warnings in ten hours", warnings)
			}
			if longest < test.longest*3/4 {
				t.Errorf("the longest wait is %v", longest)
			}
			if a.outstanding() != maxOutstanding {
				t.Errorf("%d initiations may still be answered", a.outstanding())
			}
			attempts := a.peer.initiations.attempts
			a.initiate(a.peer, netip.AddrPort{}, now)
			if a.peer.initiations.attempts != attempts+1 || !a.peer.initiations.next.After(now) {
				t.Error("an attempt without an endpoint does not count")
			}
			answer := b.receive(a.initiate(a.peer, b.at, now).datagram, a, now)
			if o := a.receive(answer.datagram, b, now); o.pair == nil || a.peer.outage != (outage{}) {
				t.Errorf("the outage has ended: %+v", o)
			}
		})
	}
}

// TestAnAnswerToAnInitiationThatIsGone: the peer is known by the id, and the
// initiation is not.
func TestAnAnswerToAnInitiationThatIsGone(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a, b := parties(t)
	a.peer.initiations.want(now)
	answer := b.receive(a.initiate(a.peer, b.at, now).datagram, a, now)
	a.peer.initiations.outstanding = nil
	if o := a.receive(answer.datagram, b, now); !errors.Is(o.err, errUnknownID) {
		t.Errorf("%+v", o)
	}
}
