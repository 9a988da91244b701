package gcm

import (
	"crypto/aes"
	"crypto/cipher"
	"sync"
)

// standard is the standard library's cipher. It keeps round keys that cannot be
// wiped.
type standard struct{ cipher.AEAD }

func newStandard(key []byte) (Cipher, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return standard{aead}, err
}

// nonces are kept since those handed to an interface are allocated.
var nonces = sync.Pool{New: func() any { return new([NonceSize]byte) }}

func (s standard) SealBatch(salt [SaltSize]byte, packets [][]byte) {
	n := nonces.Get().(*[NonceSize]byte)
	defer nonces.Put(n)
	nonce := n[:]
	copy(nonce, salt[:])
	for _, p := range packets {
		checkPacket(p)
		copy(nonce[SaltSize:], p[additionalSize:HeaderSize])
		text := p[HeaderSize : len(p)-TagSize]
		s.Seal(text[:0], nonce, text, p[:additionalSize])
	}
}

func (s standard) OpenBatch(salt [SaltSize]byte, packets [][]byte, authentic []bool) {
	n := nonces.Get().(*[NonceSize]byte)
	defer nonces.Put(n)
	nonce := n[:]
	copy(nonce, salt[:])
	for i, p := range packets {
		checkPacket(p)
		copy(nonce[SaltSize:], p[additionalSize:HeaderSize])
		text := p[HeaderSize:]
		_, err := s.Open(text[:0], nonce, text, p[:additionalSize])
		authentic[i] = err == nil
		if err != nil {
			clear(text[:len(text)-TagSize])
		}
	}
}
