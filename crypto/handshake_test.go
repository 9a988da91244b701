package crypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	epoch = time.Unix(1_700_000_000, 0)
	where = netip.MustParseAddrPort("192.0.2.1:4500")
)

// seeded is randomness that can be repeated.
func seeded(n byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{n}) }

// ends are the two ends of a handshake.
type ends struct {
	alice, bob             PrivateKey
	alicePublic, bobPublic PublicKey
	responder              *Responder
	seed                   [32]byte // of the responder that was started last
}

func newEnds(t testing.TB) *ends {
	t.Helper()
	e := new(ends)
	for i, k := range []*PrivateKey{&e.alice, &e.bob} {
		var err error
		if *k, err = GeneratePrivateKey(seeded(byte(i + 1))); err != nil {
			t.Fatal(err)
		}
	}
	e.alicePublic, _ = e.alice.Public()
	e.bobPublic, _ = e.bob.Public()
	var err error
	if e.responder, err = NewResponder(e.bob, seeded(3)); err != nil {
		t.Fatal(err)
	}
	return e
}

var (
	aliceOffer = Offer{SPI: 0x1111, Suites: []uint16{20, 28}, Features: 0b0111}
	bobOffer   = Offer{SPI: 0x2222, Suites: []uint16{28, 20}, Features: 0b1101}
)

func (e *ends) initiate(t testing.TB, psk PresharedKey, cookie Cookie) (*Initiator, []byte) {
	t.Helper()
	i, err := NewInitiator(e.alice, e.bobPublic, psk, seeded(4))
	if err != nil {
		t.Fatal(err)
	}
	message, err := i.Initiation(nil, aliceOffer, cookie, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return i, message
}

func (e *ends) respond(t testing.TB, initiation []byte, psk PresharedKey) ([]byte, Keys) {
	t.Helper()
	pending, err := e.responder.Open(initiation)
	if err != nil {
		t.Fatal(err)
	}
	if pending.Remote() != e.alicePublic || pending.payload.timestamp != uint64(epoch.UnixNano()) {
		t.Fatalf("remote %v, timestamp %d", pending.Remote(), pending.payload.timestamp)
	}
	response, keys, err := pending.Respond(nil, psk, bobOffer)
	if err != nil {
		t.Fatal(err)
	}
	return response, keys
}

func TestBothEndsHaveTheSameKeys(t *testing.T) {
	for name, psk := range map[string]PresharedKey{"without a preshared key": {}, "with a preshared key": {7}} {
		t.Run(name, func(t *testing.T) {
			e := newEnds(t)
			initiator, initiation := e.initiate(t, psk, Cookie{})
			response, bob := e.respond(t, initiation, psk)
			alice, err := initiator.Finish(response)
			if err != nil {
				t.Fatal(err)
			}
			if alice.Send != bob.Receive || alice.Receive != bob.Send || alice.Send == alice.Receive || alice.Send == [KeyMaterialSize]byte{} {
				t.Error("the keys do not match")
			}
			if alice.SendSPI != bobOffer.SPI || alice.ReceiveSPI != aliceOffer.SPI || bob.SendSPI != aliceOffer.SPI || bob.ReceiveSPI != bobOffer.SPI {
				t.Errorf("SPIs: alice %x %x, bob %x %x", alice.SendSPI, alice.ReceiveSPI, bob.SendSPI, bob.ReceiveSPI)
			}
			if alice.Suite != 20 || bob.Suite != 20 {
				t.Errorf("suites %d and %d, want the initiator's preference", alice.Suite, bob.Suite)
			}
			if alice.Features != 0b0101 || bob.Features != 0b0101 {
				t.Errorf("features %b and %b, want what both have", alice.Features, bob.Features)
			}
			if alice.Generation != 0 || bob.Generation != 0 {
				t.Errorf("generations %d and %d, and nobody has said any", alice.Generation, bob.Generation)
			}
			if _, err := initiator.Finish(response); !errors.Is(err, ErrCompleted) {
				t.Errorf("a second response: %v", err)
			}
			if id, err := ReceiverID(response); err != nil || id != initiator.ID() {
				t.Errorf("the response is for %x, not %x: %v", id, initiator.ID(), err)
			}
		})
	}
}

// TestTheResponderDecidesOnTheGeneration, and knows what the initiator wants.
func TestTheResponderDecidesOnTheGeneration(t *testing.T) {
	e := newEnds(t)
	asks, decides := aliceOffer, bobOffer
	asks.Generation, decides.Generation = 1<<63, 1<<63+7
	initiator, err := NewInitiator(e.alice, e.bobPublic, PresharedKey{}, seeded(4))
	if err != nil {
		t.Fatal(err)
	}
	initiation, err := initiator.Initiation(nil, asks, Cookie{}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	pending, err := e.responder.Open(initiation)
	if err != nil {
		t.Fatal(err)
	}
	response, bob, err := pending.Respond(nil, PresharedKey{}, decides)
	if err != nil {
		t.Fatal(err)
	}
	alice, err := initiator.Finish(response)
	if err != nil {
		t.Fatal(err)
	}
	if pending.Generation() != asks.Generation || alice.Generation != decides.Generation || bob.Generation != decides.Generation {
		t.Errorf("asked for %d, decided on %d and %d", pending.Generation(), alice.Generation, bob.Generation)
	}
}

// TestTheWireHasNotChanged pins the messages and keys that fixed randomness
// gives. Another result means that old and new versions do not understand each
// other.
func TestTheWireHasNotChanged(t *testing.T) {
	e := newEnds(t)
	psk := PresharedKey{7}
	initiator, initiation := e.initiate(t, psk, Cookie{})
	response, _ := e.respond(t, initiation, psk)
	keys, err := initiator.Finish(response)
	if err != nil {
		t.Fatal(err)
	}
	hash := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:8]) }
	got := []string{hash(initiation), hash(response), hash(keys.Send[:]), hash(keys.Receive[:])}
	want := goldenHandshake
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// goldenHandshake is the beginning of the SHA-256 of the initiation, the
// response, and the initiator's keys.
var goldenHandshake = []string{"f109795f9e9c85ca", "820368100982524c", "7c3eca380a2becba", "929de050309c6935"}

// TestNotOneBitOfAMessageMayChange flips bits of every byte of every message:
// it must be refused, and the true message must still be welcome.
func TestNotOneBitOfAMessageMayChange(t *testing.T) {
	e := newEnds(t)
	initiator, initiation := e.initiate(t, PresharedKey{}, Cookie{})
	mac2 := len(initiation) - macSize // not looked at unless under load
	flips := func(message []byte, upTo int, refused func([]byte) error) {
		t.Helper()
		for i := range upTo {
			changed := bytes.Clone(message)
			changed[i] ^= 1 << (i % 8)
			if refused(changed) == nil {
				t.Errorf("byte %d of %d may change", i, len(message))
			}
		}
		for n := range message {
			if refused(message[:n]) == nil {
				t.Errorf("%d of %d bytes are enough", n, len(message))
			}
		}
		if refused(append(bytes.Clone(message), 0)) == nil {
			t.Error("a byte more is accepted")
		}
	}
	open := func(b []byte) error {
		_, err := e.responder.Open(b)
		return err
	}
	flips(initiation, mac2, func(b []byte) error {
		return open(b)
	})
	response, _ := e.respond(t, initiation, PresharedKey{})
	flips(response, len(response)-macSize, func(b []byte) error {
		_, err := initiator.Finish(b)
		return err
	})
	if _, err := initiator.Finish(response); err != nil {
		t.Errorf("the true response afterwards: %v", err)
	}
	reply, err := e.responder.CookieReply(nil, initiation, where, epoch)
	if err != nil {
		t.Fatal(err)
	}
	fresh, _ := e.initiate(t, PresharedKey{}, Cookie{})
	flips(reply[headerSize:], len(reply)-headerSize, func(b []byte) error {
		_, err := fresh.ConsumeCookieReply(append(bytes.Clone(reply[:headerSize]), b...))
		return err
	})
	if _, err := fresh.ConsumeCookieReply(reply); err != nil {
		t.Errorf("the true cookie reply afterwards: %v", err)
	}
}

func TestKeysThatDoNotMatch(t *testing.T) {
	e := newEnds(t)
	t.Run("another preshared key", func(t *testing.T) {
		initiator, initiation := e.initiate(t, PresharedKey{1}, Cookie{})
		response, _ := e.respond(t, initiation, PresharedKey{2})
		if _, err := initiator.Finish(response); !errors.Is(err, ErrAuth) {
			t.Errorf("error %v", err)
		}
		response, _ = e.respond(t, initiation, PresharedKey{1})
		if _, err := initiator.Finish(response); err != nil {
			t.Errorf("the right one afterwards: %v", err)
		}
	})
	t.Run("another responder", func(t *testing.T) {
		i, err := NewInitiator(e.alice, e.alicePublic, PresharedKey{}, seeded(5))
		if err != nil {
			t.Fatal(err)
		}
		m, err := i.Initiation(nil, aliceOffer, Cookie{}, epoch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.responder.Open(m); !errors.Is(err, ErrMAC) {
			t.Errorf("error %v, want %v", err, ErrMAC)
		}
		if e.responder.Recognizes(m) {
			t.Error("recognized")
		}
	})
	t.Run("no common suite", func(t *testing.T) {
		_, initiation := e.initiate(t, PresharedKey{}, Cookie{})
		pending, err := e.responder.Open(initiation)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := pending.Respond(nil, PresharedKey{}, Offer{SPI: 1000, Suites: []uint16{99}}); !errors.Is(err, ErrNoCommonSuite) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCookies(t *testing.T) {
	e := newEnds(t)
	initiator, initiation := e.initiate(t, PresharedKey{}, Cookie{})
	if e.responder.Proves(initiation, where, epoch) {
		t.Fatal("no cookie is a proof")
	}
	reply, err := e.responder.CookieReply(nil, initiation, where, epoch)
	if err != nil || len(reply) >= len(initiation) {
		t.Fatalf("a reply of %d bytes to %d: %v", len(reply), len(initiation), err)
	}
	cookie, err := initiator.ConsumeCookieReply(reply)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := e.initiate(t, PresharedKey{}, Cookie{})
	if other.ID() != initiator.ID() { // same seed: same attempt
		t.Fatal("seeded attempts differ")
	}
	_, with := e.initiate(t, PresharedKey{}, cookie)
	for _, test := range []struct {
		name string
		from netip.AddrPort
		at   time.Duration
		want bool
	}{
		{"from the same address", where, 0, true},
		{"a little later", where, cookieLifetime - time.Second, true},
		{"from another port", netip.MustParseAddrPort("192.0.2.1:4501"), 0, false},
		{"from another address", netip.MustParseAddrPort("192.0.2.2:4500"), 0, false},
		{"much later", where, 3 * cookieLifetime, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			e.responder, _ = NewResponder(e.bob, seeded(3))
			if _, err := e.responder.CookieReply(nil, initiation, where, epoch); err != nil {
				t.Fatal(err)
			}
			if got := e.responder.Proves(with, test.from, epoch.Add(test.at)); got != test.want {
				t.Errorf("it proves: %v", got)
			}
		})
	}
}

func TestLowOrderPointsAreRefused(t *testing.T) {
	e := newEnds(t)
	for name, point := range map[string]PublicKey{"zero": {}, "one": {1}} {
		if _, err := NewInitiator(e.alice, point, PresharedKey{}, seeded(6)); err == nil {
			i, _ := NewInitiator(e.alice, point, PresharedKey{}, seeded(6))
			if _, err := i.Initiation(nil, aliceOffer, Cookie{}, epoch); err == nil {
				t.Errorf("%s as a static key", name)
			}
		}
		// As an ephemeral key in a message with a right mac1.
		_, initiation := e.initiate(t, PresharedKey{}, Cookie{})
		forged := bytes.Clone(initiation[:len(initiation)-macsSize])
		copy(forged[headerSize:], point[:])
		forged, _ = appendMACs(forged, 0, e.bobPublic, Cookie{})
		if _, err := e.responder.Open(forged); !errors.Is(err, ErrAuth) {
			t.Errorf("%s as an ephemeral key: %v", name, err)
		}
		if _, err := e.responder.Open(initiation); err != nil {
			t.Errorf("the true message afterwards: %v", err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for name, test := range map[string]struct {
		wait    func(int, io.Reader) time.Duration
		longest time.Duration
	}{"after": {RetryAfter, lastRetry}, "rarely": {RetryRarely, rareRetry}} {
		t.Run(name, func(t *testing.T) { testRetry(t, test.wait, test.longest) })
	}
}

func testRetry(t *testing.T, retry func(int, io.Reader) time.Duration, longest time.Duration) {
	t.Helper()
	last := time.Duration(0)
	for attempt := range 20 {
		least, most := time.Hour, time.Duration(0)
		for seed := range byte(100) {
			wait := retry(attempt, seeded(seed))
			least, most = min(least, wait), max(most, wait)
		}
		if least < firstRetry || most > longest+longest/retryJitter || most == least || least < last {
			t.Errorf("attempt %d: from %v to %v", attempt, least, most)
		}
		last = min(least, longest*9/10)
	}
	if last != longest*9/10 {
		t.Errorf("the longest wait is %v", last)
	}
}

func TestLifetime(t *testing.T) {
	l := Lifetime{RekeyAge: 2 * time.Minute, RekeyPackets: 1000}
	for packets, spent := range map[uint32]bool{0: false, l.RekeyPackets: false, maxPackets - 1: false, maxPackets: true} {
		if Spent(packets) != spent {
			t.Errorf("after %d packets: %v", packets, !spent)
		}
	}
	if l.HardAge() < l.RekeyAge+minRekeyTime {
		t.Errorf("hard age %v", l.HardAge())
	}
}

func FuzzResponderOpen(f *testing.F) {
	e := newEnds(f)
	_, initiation := e.initiate(f, PresharedKey{}, Cookie{})
	f.Add(initiation, true)
	f.Add(initiation[:len(initiation)-macsSize], false)
	f.Fuzz(func(t *testing.T, message []byte, macs bool) {
		if macs { // beyond the first gate
			message, _ = appendMACs(bytes.Clone(message), 0, e.bobPublic, Cookie{})
		}
		pending, err := e.responder.Open(message)
		if err == nil && !bytes.Equal(message[:len(message)-macsSize], initiation[:len(initiation)-macsSize]) {
			t.Errorf("a forged message is accepted, from %v", pending.Remote())
		}
		e.responder.Recognizes(message)
		_, _ = e.responder.CookieReply(nil, message, where, epoch)
		_, _ = MessageType(message)
		_, _ = ReceiverID(message)
	})
}

func FuzzInitiatorFinish(f *testing.F) {
	e := newEnds(f)
	_, initiation := e.initiate(f, PresharedKey{}, Cookie{})
	response, _ := e.respond(f, initiation, PresharedKey{})
	f.Add(response)
	f.Fuzz(func(t *testing.T, message []byte) {
		i, _ := e.initiate(t, PresharedKey{}, Cookie{})
		if _, err := i.Finish(message); err == nil && !bytes.Equal(message[:len(message)-macSize], response[:len(response)-macSize]) {
			t.Error("a forged response is accepted")
		}
	})
}

func FuzzCookieReply(f *testing.F) {
	e := newEnds(f)
	_, initiation := e.initiate(f, PresharedKey{}, Cookie{})
	reply, _ := e.responder.CookieReply(nil, initiation, where, epoch)
	f.Add(reply)
	f.Fuzz(func(t *testing.T, message []byte) {
		i, _ := e.initiate(t, PresharedKey{}, Cookie{})
		if _, err := i.ConsumeCookieReply(message); err == nil && !bytes.Equal(message[headerSize:], reply[headerSize:]) {
			t.Error("a forged cookie is accepted")
		}
	})
}

func FuzzPayload(f *testing.F) {
	p := payload{Offer: aliceOffer, timestamp: 5}
	f.Add(p.append(nil))
	p.Generation = 7
	f.Add(p.append(nil))
	f.Add(append([]byte{200, 0, 1, 9}, p.append(nil)...))
	f.Add((&payload{aliceOffer, 5, [challengeSize]byte{6}}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePayload(b)
		if err != nil {
			return
		}
		if again, err := parsePayload(p.append(nil)); err != nil || !cmp.Equal(p, again, cmp.AllowUnexported(payload{})) {
			t.Errorf("%+v becomes %+v, %v", p, again, err)
		}
	})
}

func TestPayload(t *testing.T) {
	good := (&payload{Offer: aliceOffer, timestamp: 5}).append(nil)
	if len(good) != payloadSize {
		t.Errorf("%d bytes", len(good))
	}
	spi := []byte{elementSPI, 0, 4, 0, 0, 1, 0}
	suites := []byte{elementSuites, 0, 2, 0, 20}
	most := payload{Offer{SPI: 1, Suites: make([]uint16, 2*maxSuites), Generation: 1}, 5, [challengeSize]byte{6}}
	if n := len(most.append(nil)); n != payloadSize {
		t.Errorf("%d bytes with everything in it", n)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, test := range []struct {
		name string
		b    []byte
		ok   bool
	}{
		{"what we send", good, true},
		{"the least", join(spi, suites), true},
		{"unknown elements are ignored", join([]byte{99, 0, 3, 1, 2, 3}, spi, suites), true},
		{"no SPI", suites, false},
		{"the SPI that is none", join([]byte{elementSPI, 0, 4, 0, 0, 0, 0}, suites), false},
		{"no suite", spi, false},
		{"an empty list of suites", join(spi, []byte{elementSuites, 0, 0}), false},
		{"half a suite", join(spi, []byte{elementSuites, 0, 3, 0, 20, 0}), false},
		{"an element twice", join(spi, spi, suites), false},
		{"a length beyond the end", join(spi, suites, []byte{99, 0xff, 0xff}), false},
		{"half an element", join(spi, suites, []byte{99, 0}), false},
		{"a challenge of three bytes", join(spi, suites, []byte{elementChallenge, 0, 3, 1, 2, 3}), false},
		{"a generation", join(spi, suites, []byte{elementGeneration, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9}), true},
		{"half a generation", join(spi, suites, []byte{elementGeneration, 0, 4, 0, 0, 0, 9}), false},
		{"an SPI of three bytes", join([]byte{elementSPI, 0, 3, 1, 2, 3}, suites), false},
	} {
		if _, err := parsePayload(test.b); (err == nil) != test.ok || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
