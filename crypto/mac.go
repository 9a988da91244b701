package crypto

import (
	"crypto/hmac"

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

// checkMAC1 reports whether the sender of a message knows the public key that
// macKey was derived from.
func checkMAC1(macKey []byte, message []byte) bool {
	end := len(message) - macsSize
	want := mac(macKey, message[:end])
	return hmac.Equal(want[:], message[end:end+macSize])
}
