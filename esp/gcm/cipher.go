package gcm

import (
	"crypto/cipher"
	"fmt"
)

// Sizes in bytes.
const (
	KeySize   = 32
	NonceSize = 12
	TagSize   = 16
	// SaltSize is that of the part of the nonce that all packets of an SA share.
	SaltSize = 4
	// HeaderSize is what stands before the text in a packet: SPI and sequence
	// number, which are the additional data, and the IV.
	HeaderSize = additionalSize + ivSize

	additionalSize = 8
	ivSize         = NonceSize - SaltSize
)

// Cipher is AES-256-GCM under one key. It is safe for concurrent use.
type Cipher interface {
	cipher.AEAD

	// SealBatch seals packets in place. Each has room for the tag behind its text, and
	// an IV of its own, which no other packet under this key and salt may have: esp
	// writes consecutive numbers there.
	SealBatch(salt [SaltSize]byte, packets [][]byte)

	// OpenBatch opens packets in place. It sets authentic, which is as long, for each
	// packet. The text of one that is not authentic is zero afterwards.
	OpenBatch(salt [SaltSize]byte, packets [][]byte, authentic []bool)
}

// New returns the cipher under a key of KeySize bytes, by the implementation in use.
// It keeps no reference to key. The error is about the size of the key alone.
func New(key []byte) (Cipher, error) {
	return implementation().make(key)
}

func checkKey(key []byte) error {
	if len(key) != KeySize {
		return fmt.Errorf("gcm: the key has %d bytes, want %d", len(key), KeySize)
	}
	return nil
}

// checkPacket panics if a packet of a batch has no room for header and tag.
func checkPacket(packet []byte) {
	if len(packet) < HeaderSize+TagSize {
		panic("gcm: a packet of a batch is too short")
	}
}
