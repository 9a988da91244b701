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
		return &party{h, p, netip.MustParseAddrPort(at)}
	}
	return newParty(0, "192.0.2.1:4500"), newParty(1, "192.0.2.2:4500")
}

// receive takes in a datagram of the other party's, which the gate lets through.
func (p *party) receive(datagram []byte, from *party, now time.Time) outcome {
	message := datagram[esp.MarkerSize:]
	if kind, _ := crypto.MessageType(message); kind != crypto.Initiation {
		return p.handleAnswer(message, from.at, now)
	}
	pending, err := p.responder.Open(message, from.at, false, now)
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
		{"a replay", func(a, b *party) { _ = b.peer.replays.Accept(uint64(start.Add(time.Second).UnixNano())) }, false, false, is(crypto.ErrReplayedInitiation)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := parties(t)
			test.spoil(a, b)
			a.peer.initiations.want(start)
			call := a.initiate(a.peer, b.at, start)
			if call.err != nil || call.datagram == nil || call.to != b.at || call.pair != nil || !b.responder.Recognizes(call.datagram[esp.MarkerSize:]) {
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
			if last.err != nil || last.peer != a.peer || !last.pair.initiator || last.rtt != 2*trip || a.peer.initiations.wanted {
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

// TestCollidingHandshakesMakeOnePair: both ends call at once.
func TestCollidingHandshakesMakeOnePair(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	greater, lesser := parties(t)
	greater.peer.initiations.want(now)
	lesser.peer.initiations.want(now)
	first, second := greater.initiate(greater.peer, lesser.at, now), lesser.initiate(lesser.peer, greater.at, now)
	if o := greater.receive(second.datagram, lesser, now); o.pair != nil || !errors.Is(o.err, errCollision) {
		t.Errorf("the greater key's owner: %+v", o)
	}
	lesser.peer.initiations.hurry(now)
	answer := lesser.receive(first.datagram, greater, now)
	if answer.pair == nil {
		t.Fatalf("the lesser key's owner: %+v", answer)
	}
	if lesser.peer.initiations.due(now.Add(400 * time.Millisecond)) {
		t.Error("it calls again at once")
	}
	if o := greater.receive(answer.datagram, lesser, now); o.pair == nil {
		t.Errorf("the end: %+v", o)
	}
}

// TestNoAnswerIsWorthAWarning now and then.
func TestNoAnswerIsWorthAWarning(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a, b := parties(t)
	a.peer.initiations.want(now)
	for n := 1; n <= 4*complainEvery; n++ {
		now = a.peer.initiations.next
		o := a.initiate(a.peer, b.at, now)
		if (o.err != nil) != (n%complainEvery == 0) || o.datagram == nil {
			t.Errorf("attempt %d: %+v", n, o)
		}
		if wait := a.peer.initiations.next.Sub(now); wait < 500*time.Millisecond || wait > 7*time.Second {
			t.Errorf("attempt %d: the next after %v", n, wait)
		}
	}
	if n := a.outstanding(); n != maxOutstanding {
		t.Errorf("%d initiations may still be answered", n)
	}
	a.initiate(a.peer, netip.AddrPort{}, now)
	if a.peer.initiations.attempts != 4*complainEvery+1 || !a.peer.initiations.next.After(now) {
		t.Error("an attempt without an endpoint does not count")
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
