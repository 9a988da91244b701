package crypto

import (
	"crypto/ecdh"
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/blake2s"
	"golang.org/x/crypto/chacha20poly1305"
)

// challengeLifetime is how long a challenge may take to come back: the round trip,
// and the longest wait between initiations a few times over.
const challengeLifetime = 30 * time.Second

// Challenge is what a responder wants to see again in the next initiation, which
// thereby is fresh whatever its timestamp says. The zero value stands for none.
type Challenge struct {
	// Doubt is why the responder asks.
	Doubt Doubt
	value [challengeSize]byte
	until time.Time // not to be returned afterwards
}

// at returns the challenge if it is still worth returning, else the zero one.
func (c Challenge) at(now time.Time) Challenge {
	if now.Before(c.until) {
		return c
	}
	return Challenge{}
}

// challenger makes challenges and knows them again. It remembers none of them: a
// challenge is the time when it was made and a MAC of that and of the initiator's
// key under a secret that changes. Time is counted from the first challenge, by the
// monotonic clock where there is one.
//
// A challenge is bound to the initiator and not to the address that it is sent to:
// it travels sealed to the initiator's key in both directions, and an initiator that
// moves or has several addresses may return it from another one. That an initiator
// receives where it sends from is for a cookie to prove.
//
// Any goroutine may use it.
type challenger struct {
	secret rotatingSecret

	mu    sync.Mutex // guards what follows
	epoch time.Time  // zero: none has been made
}

// make returns a challenge for an initiator.
func (c *challenger) make(remote PublicKey, now time.Time) (value [challengeSize]byte, err error) {
	secrets, err := c.secret.at(now)
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	if c.epoch.IsZero() {
		c.epoch = now.Add(-1) // so that no challenge is of time 0
	}
	made := now.Sub(c.epoch)
	c.mu.Unlock()
	return challengeOf(secrets.current[:], remote, uint64(made)), nil
}

func challengeOf(secret []byte, remote PublicKey, made uint64) (value [challengeSize]byte) {
	binary.BigEndian.PutUint64(value[:], made)
	sum := mac(secret, []byte(labelChallenge), remote[:], value[:8])
	copy(value[8:], sum[:])
	return value
}

// check reports whether this end has made a challenge for an initiator, not long
// ago, and returns when.
func (c *challenger) check(value [challengeSize]byte, remote PublicKey, now time.Time) (made uint64, ok bool) {
	made = binary.BigEndian.Uint64(value[:])
	c.mu.Lock()
	epoch := c.epoch
	c.mu.Unlock()
	if epoch.IsZero() || now.Before(epoch) {
		return 0, false
	}
	since := uint64(now.Sub(epoch))
	if made == 0 || made > since || since-made > uint64(challengeLifetime) {
		return 0, false
	}
	return made, c.secret.matches(now, func(secret []byte) bool {
		want := challengeOf(secret, remote, made)
		return hmac.Equal(want[:], value[:])
	})
}

// challengeKey is the key that challenges from a responder to an initiator are
// sealed with: only the two ends can make it.
func challengeKey(static *ecdh.PrivateKey, remote, initiator, responder PublicKey) (key [blake2s.Size]byte, err error) {
	public, err := ecdh.X25519().NewPublicKey(remote[:])
	if err != nil {
		return key, fmt.Errorf("crypto: challenge: %w", err)
	}
	shared, err := static.ECDH(public)
	if err != nil {
		return key, fmt.Errorf("crypto: challenge: %w", err)
	}
	material := append([]byte(labelChallenge), shared...)
	material = append(material, initiator[:]...)
	return blake2s.Sum256(append(material, responder[:]...)), nil
}

// sealChallenge appends a challenge message to the sender of an initiation with the
// given mac1, which binds it to that initiation.
func sealChallenge(dst []byte, id uint32, key [blake2s.Size]byte, c *Challenge, mac1 []byte, random io.Reader) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return dst, fmt.Errorf("crypto: challenge: %w", err)
	}
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return dst, fmt.Errorf("crypto: challenge: %w", err)
	}
	plain := append([]byte{byte(c.Doubt.Kind)}, c.value[:]...)
	plain = binary.BigEndian.AppendUint64(plain, c.Doubt.Reference)
	dst = append(appendHeader(dst, FreshnessChallenge, id), nonce[:]...)
	return aead.Seal(dst, nonce[:], plain, mac1), nil
}

// openChallenge reads a challenge message that answers our initiation with the given
// mac1.
func openChallenge(message []byte, key [blake2s.Size]byte, mac1 []byte) (c Challenge, err error) {
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return c, fmt.Errorf("crypto: challenge: %w", err)
	}
	nonce, sealed := message[headerSize:headerSize+nonceSize], message[headerSize+nonceSize:len(message)-macsSize]
	plain, err := aead.Open(nil, nonce, sealed, mac1)
	if err != nil {
		return c, ErrAuth
	}
	c.Doubt.Kind = DoubtKind(plain[0])
	copy(c.value[:], plain[1:])
	c.Doubt.Reference = binary.BigEndian.Uint64(plain[1+challengeSize:])
	return c, nil
}
