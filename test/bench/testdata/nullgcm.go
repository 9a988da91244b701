package gcm

import "fmt"

// Standard names an implementation that this build does not have.
const Standard = "standard"

// none names that of this file, so that `fathom status` tells such a build.
const none = "none"

// maker is what the implementations of the package are listed by.
type maker struct {
	name string
	make func(key []byte) (Cipher, error)
}

// implementation returns no cipher at all. This file takes the place of AES-GCM in a
// build of the benchmark, which wants to know what everything but the cipher costs.
func implementation() *maker {
	return &maker{none, func(key []byte) (Cipher, error) { return null{}, checkKey(key) }}
}

// Implementation names the implementation.
func Implementation() string { return none }

// Implementations names it.
func Implementations() []string { return []string{none} }

// Use refuses every cipher.
func Use(name string) error { return fmt.Errorf("this build has no %q", name) }

type null struct{}

func (null) NonceSize() int { return NonceSize }
func (null) Overhead() int  { return TagSize }

func (null) Seal(dst, _, plaintext, _ []byte) []byte {
	var tag [TagSize]byte
	return append(appendText(dst, plaintext), tag[:]...)
}

func (null) Open(dst, _, ciphertext, _ []byte) ([]byte, error) {
	return appendText(dst, ciphertext[:len(ciphertext)-TagSize]), nil
}

func (null) SealBatch(_ [SaltSize]byte, packets [][]byte) {
	for _, p := range packets {
		clear(p[len(p)-TagSize:])
	}
}

func (null) OpenBatch(_ [SaltSize]byte, _ [][]byte, authentic []bool) {
	for i := range authentic {
		authentic[i] = true
	}
}

// appendText appends a text, unless it is at its place already.
func appendText(dst, text []byte) []byte {
	n := len(dst)
	if end := n + len(text); len(text) > 0 && end <= cap(dst) && &dst[:end][n] == &text[0] {
		return dst[:end]
	}
	return append(dst, text...)
}
