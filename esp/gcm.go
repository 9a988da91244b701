package esp

import (
	"crypto/aes"
	"crypto/cipher"
)

// newGCM returns AES in Galois/counter mode with a 16-byte ICV (RFC 4106).
func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
