package crypto

import (
	"crypto/hmac"
	"hash"
	"sync"

	"golang.org/x/crypto/blake2s"
)

// Labels keep apart the keys that are derived from the same keys.
const (
	labelMAC       = "fathom v1 mac1"
	labelCookie    = "fathom v1 cookie"
	labelChallenge = "fathom v1 challenge"
)

// derive returns the key for a purpose, from the public key of the responder.
func derive(label string, public PublicKey) [blake2s.Size]byte {
	return blake2s.Sum256(append([]byte(label), public[:]...))
}

// mac is keyed BLAKE2s with a 128-bit result.
func mac(key []byte, parts ...[]byte) (sum [macSize]byte) {
	h, err := blake2s.New128(key)
	if err != nil {
		panic(err) // only for a key that is too long; ours are of fixed size
	}
	for _, part := range parts {
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}

// appendMACs closes a message that begins at start: mac1 for the receiver's
// public key, and mac2 if there is a cookie.
func appendMACs(dst []byte, start int, receiver PublicKey, cookie Cookie) (_ []byte, mac1 [macSize]byte) {
	key := derive(labelMAC, receiver)
	mac1 = mac(key[:], dst[start:])
	dst = append(dst, mac1[:]...)
	var mac2 [macSize]byte
	if cookie.valid {
		mac2 = mac(cookie.value[:], dst[start:])
	}
	return append(dst, mac2[:]...), mac1
}

// mac1Of returns the mac1 of a message.
func mac1Of(message []byte) [macSize]byte {
	return [macSize]byte(message[len(message)-macsSize:])
}

// mac1Verifier verifies the mac1 of messages, without an allocation: strangers
// decide how many there are. Any goroutine may use it.
type mac1Verifier struct {
	idle sync.Pool // of *keyedHash
}

// keyedHash is a hash under the key of a mac1Verifier, and room for its result.
type keyedHash struct {
	hash.Hash
	sum [macSize]byte
}

// newMAC1Verifier makes the verifier of the messages for a public key.
func newMAC1Verifier(public PublicKey) *mac1Verifier {
	key := derive(labelMAC, public)
	v := new(mac1Verifier)
	v.idle.New = func() any {
		h, err := blake2s.New128(key[:])
		if err != nil {
			panic(err) // only for a key that is too long; ours are of fixed size
		}
		return &keyedHash{Hash: h}
	}
	return v
}

// verify reports whether the sender of a message knows the public key.
func (v *mac1Verifier) verify(message []byte) bool {
	end := len(message) - macsSize
	h := v.idle.Get().(*keyedHash)
	defer v.idle.Put(h)
	h.Reset()
	h.Write(message[:end])
	return hmac.Equal(h.Sum(h.sum[:0]), message[end:end+macSize])
}
