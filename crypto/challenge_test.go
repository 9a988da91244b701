package crypto

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// doubted is an initiation that a responder doubts, and the challenge that
// answers it.
func doubted(t testing.TB, e *ends) (i *Initiator, initiation, challenge []byte) {
	t.Helper()
	g := ReplayGuard{floor: 1 << 62}
	i, initiation = e.initiate(t, PresharedKey{}, Cookie{})
	_, challenge, err := e.judge(t, &g, initiation, epoch)
	if !errors.Is(err, ErrChallengeRequired) {
		t.Fatal(err)
	}
	return i, initiation, challenge
}

func TestAChallengeIsSmallerThanTheInitiation(t *testing.T) {
	_, initiation, challenge := doubted(t, newEnds(t))
	if kind, err := MessageType(challenge); kind != FreshnessChallenge || err != nil || len(challenge) != 113 || len(challenge) >= len(initiation) {
		t.Errorf("%v of %d bytes answers %d bytes: %v", kind, len(challenge), len(initiation), err)
	}
}

// TestOnlyThePeerCanChallenge: not one bit of a challenge may change, and it answers
// one initiation only.
func TestOnlyThePeerCanChallenge(t *testing.T) {
	e := newEnds(t)
	i, _, challenge := doubted(t, e)
	for n := range len(challenge) - macSize {
		changed := bytes.Clone(challenge)
		changed[n] ^= 1 << (n % 8)
		if _, err := i.ConsumeChallenge(changed); err == nil {
			t.Errorf("byte %d may change", n)
		}
		if _, err := i.ConsumeChallenge(challenge[:n]); err == nil {
			t.Errorf("%d bytes are enough", n)
		}
	}
	// With a right mac1, as anybody can make it who knows the initiator's key.
	for n := range len(challenge) - macsSize {
		changed := bytes.Clone(challenge[:len(challenge)-macsSize])
		changed[n] ^= 1 << (n % 8)
		changed, _ = appendMACs(changed, 0, e.alicePublic, Cookie{})
		if _, err := i.ConsumeChallenge(changed); err == nil && n != 2 && n != 3 { // reserved
			t.Errorf("byte %d may change below a right mac1", n)
		}
	}
	another, err := NewInitiator(e.alice, e.bobPublic, PresharedKey{}, seeded(5))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := another.Initiation(nil, aliceOffer, Cookie{}, epoch); err != nil {
		t.Fatal(err)
	}
	another.id = i.id
	if _, err := another.ConsumeChallenge(challenge); !errors.Is(err, ErrAuth) {
		t.Errorf("the challenge answers another initiation: %v", err)
	}
	if !e.aliceRecognizes(t, challenge) || e.responder.Recognizes(challenge) {
		t.Error("the challenge is for the other end, by its mac1")
	}
	if c, err := i.ConsumeChallenge(challenge); err != nil || c.Doubt.Kind != ClockBehind || c.Doubt.Reference != 1<<62 {
		t.Errorf("the true one afterwards: %+v, %v", c, err)
	}
}

func (e *ends) aliceRecognizes(t testing.TB, message []byte) bool {
	t.Helper()
	r, err := NewResponder(e.alice, seeded(8))
	if err != nil {
		t.Fatal(err)
	}
	return r.Recognizes(message)
}

func TestChallenges(t *testing.T) {
	alice, mallory := PublicKey{1}, PublicKey{2}
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	for _, test := range []struct {
		name          string
		from          PublicKey
		made, checked time.Duration
		want          bool
	}{
		{"at once", alice, 0, 0, true},
		{"in time", alice, time.Hour, time.Hour + challengeLifetime, true},
		{"too late", alice, time.Hour, time.Hour + challengeLifetime + 1, false},
		{"across a change of the secret", alice, secretLifetime - 1, secretLifetime + 1, true},
		{"before it was made", alice, time.Hour, time.Hour - 1, false},
		{"by another initiator", mallory, 0, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := challenger{secret: rotatingSecret{random: seeded(1)}}
			if _, ok := c.check([challengeSize]byte{}, alice, at(0)); ok {
				t.Error("one that came before any was made")
			}
			if _, err := c.make(mallory, at(0)); err != nil { // the time is counted from here
				t.Fatal(err)
			}
			value, err := c.make(alice, at(test.made))
			if err != nil {
				t.Fatal(err)
			}
			if made, ok := c.check(value, test.from, at(test.checked)); ok != test.want || ok && made == 0 {
				t.Errorf("made at %d, %v", made, ok)
			}
			for n := range value {
				forged := value
				forged[n]++
				if _, ok := c.check(forged, test.from, at(test.checked)); ok {
					t.Errorf("byte %d may change", n)
				}
			}
		})
	}
}

// TestChallengesComeBackInOrder: one that was made before another that has come back
// is of no use any more.
func TestChallengesComeBackInOrder(t *testing.T) {
	c := &caller{ends: newEnds(t), random: seeded(9)}
	g := ReplayGuard{floor: 1 << 62}
	now := epoch
	var challenges [3]Challenge
	for n := range challenges {
		now = now.Add(time.Second)
		i, message := c.initiation(t, now)
		_, answer, err := c.judge(t, &g, message, now)
		if !errors.Is(err, ErrChallengeRequired) {
			t.Fatal(err)
		}
		if challenges[n], err = i.ConsumeChallenge(answer); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		challenge int
		want      error
	}{{1, nil}, {0, ErrChallengeRequired}, {1, ErrChallengeRequired}, {2, nil}, {2, ErrChallengeRequired}} {
		now = now.Add(time.Second)
		c.challenge = challenges[test.challenge]
		i, message := c.initiation(t, now)
		if !i.Returns() {
			t.Fatal("it returns nothing")
		}
		if _, _, err := c.judge(t, &g, message, now); !errors.Is(err, test.want) {
			t.Errorf("challenge %d: %v, want %v", test.challenge, err, test.want)
		}
	}
	c.challenge = challenges[2]
	if i, _ := c.initiation(t, now.Add(challengeLifetime)); i.Returns() {
		t.Error("one is returned that is too old")
	}
}

// TestAChallengeThatWasNotNeededIsUsedUp: the timestamp would have done, and the
// same message cannot come in again by its challenge.
func TestAChallengeThatWasNotNeededIsUsedUp(t *testing.T) {
	c := &caller{ends: newEnds(t), random: seeded(9)}
	g := ReplayGuard{floor: timestampOf(epoch)}
	i, message := c.initiation(t, epoch)
	_, answer, _ := c.judge(t, &g, message, epoch)
	var err error
	if c.challenge, err = i.ConsumeChallenge(answer); err != nil {
		t.Fatal(err)
	}
	now := epoch.Add(time.Second)
	_, with := c.initiation(t, now)
	if doubt, _, err := c.judge(t, &g, with, now); err != nil || doubt.Kind != NoDoubt {
		t.Fatalf("%v, %v", doubt, err)
	}
	_, next := c.initiation(t, now.Add(time.Second))
	if _, _, err := c.judge(t, &g, next, now); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.judge(t, &g, with, now); !errors.Is(err, ErrChallengeRequired) {
		t.Errorf("the same again: %v", err)
	}
}

// noRandom is a source of randomness that fails after some bytes.
type noRandom int

func (n *noRandom) Read(b []byte) (int, error) {
	got := min(len(b), int(*n))
	*n -= noRandom(got)
	if got < len(b) {
		return got, errors.New("no randomness")
	}
	return got, nil
}

// TestASecretThatCannotBeDrawn leaves the secrets as they were.
func TestASecretThatCannotBeDrawn(t *testing.T) {
	left := noRandom(32 + 7)
	s := rotatingSecret{random: &left}
	before, err := s.at(epoch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.at(epoch.Add(secretLifetime)); err == nil {
		t.Fatal("drawn from nothing")
	}
	if after, err := s.at(epoch); err != nil || after != before {
		t.Error("the secrets are others")
	}
	if s.matches(epoch.Add(secretLifetime), func([]byte) bool { return true }) {
		t.Error("a secret that is too old still matches")
	}
}

func FuzzChallenge(f *testing.F) {
	e := newEnds(f)
	_, _, challenge := doubted(f, e)
	f.Add(challenge, false)
	f.Add(challenge[:len(challenge)-macsSize], true)
	f.Fuzz(func(t *testing.T, message []byte, macs bool) {
		if macs { // beyond the first gate
			message, _ = appendMACs(bytes.Clone(message), 0, e.alicePublic, Cookie{})
		}
		i, _ := e.initiate(t, PresharedKey{}, Cookie{})
		end := len(challenge) - macsSize
		if _, err := i.ConsumeChallenge(message); err == nil && !bytes.Equal(message[4:end], challenge[4:end]) {
			t.Error("a forged challenge is accepted")
		}
	})
}
