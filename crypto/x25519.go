package crypto

import (
	"crypto/ecdh"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/flynn/noise"
)

// x25519 is the Diffie-Hellman function of one handshake. It gives the results
// of noise.DH25519 at half the cost: package ecdh derives the public key of each
// private key that it is given, which takes as long as a product, and a handshake
// makes several products of the same two private keys.
type x25519 struct {
	keys []*ecdh.PrivateKey // of this handshake: static, ephemeral
}

var _ noise.DHFunc = (*x25519)(nil)

// GenerateKeypair draws an ephemeral key.
func (x *x25519) GenerateKeypair(random io.Reader) (noise.DHKey, error) {
	raw := make([]byte, KeySize)
	if _, err := io.ReadFull(random, raw); err != nil {
		return noise.DHKey{}, fmt.Errorf("crypto: draw a key: %w", err)
	}
	key, err := x.private(raw)
	if err != nil {
		return noise.DHKey{}, err
	}
	return noise.DHKey{Private: raw, Public: key.PublicKey().Bytes()}, nil
}

// DH returns the shared secret. A public key that yields none is an error.
func (x *x25519) DH(private, public []byte) ([]byte, error) {
	key, err := x.private(private)
	if err != nil {
		return nil, err
	}
	remote, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	return key.ECDH(remote)
}

func (x *x25519) DHLen() int     { return KeySize }
func (x *x25519) DHName() string { return noise.DH25519.DHName() }

// private returns a private key ready for use.
func (x *x25519) private(raw []byte) (*ecdh.PrivateKey, error) {
	for _, key := range x.keys {
		if subtle.ConstantTimeCompare(key.Bytes(), raw) == 1 {
			return key, nil
		}
	}
	key, err := ecdh.X25519().NewPrivateKey(raw)
	if err == nil {
		x.keys = append(x.keys, key)
	}
	return key, err
}
