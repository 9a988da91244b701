package crypto

import (
	"bytes"
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// KeySize is the size in bytes of every kind of key here.
const KeySize = 32

type (
	// PrivateKey is a static X25519 private key. It does not print itself.
	PrivateKey [KeySize]byte
	// PublicKey is a static X25519 public key.
	PublicKey [KeySize]byte
	// PresharedKey is a secret that both ends know; zero means none. It does
	// not print itself.
	PresharedKey [KeySize]byte
)

// hidden stands for a secret wherever something prints one.
const hidden = "(hidden)"

// GeneratePrivateKey draws a key from random.
func GeneratePrivateKey(random io.Reader) (PrivateKey, error) {
	var k PrivateKey
	if _, err := io.ReadFull(random, k[:]); err != nil {
		return PrivateKey{}, fmt.Errorf("crypto: draw a key: %w", err)
	}
	// RFC 7748 section 5.
	k[0] &= 248
	k[31] = k[31]&127 | 64
	return k, nil
}

// GeneratePresharedKey draws a key from random.
func GeneratePresharedKey(random io.Reader) (PresharedKey, error) {
	var k PresharedKey
	if _, err := io.ReadFull(random, k[:]); err != nil {
		return PresharedKey{}, fmt.Errorf("crypto: draw a key: %w", err)
	}
	return k, nil
}

// Public returns the public key that belongs to k. A zero private key is an
// error: it is a key that was never set.
func (k PrivateKey) Public() (PublicKey, error) {
	private, err := k.ecdh()
	if err != nil {
		return PublicKey{}, err
	}
	return publicOf(private), nil
}

// ecdh returns the key ready for use. A zero key is an error.
func (k PrivateKey) ecdh() (*ecdh.PrivateKey, error) {
	if k == (PrivateKey{}) {
		return nil, errors.New("crypto: private key is zero")
	}
	private, err := ecdh.X25519().NewPrivateKey(k[:])
	if err != nil {
		return nil, fmt.Errorf("crypto: private key: %w", err)
	}
	return private, nil
}

func publicOf(k *ecdh.PrivateKey) PublicKey { return PublicKey(k.PublicKey().Bytes()) }

// Encode returns the base64 form, for a key file.
func (k PrivateKey) Encode() string { return base64.StdEncoding.EncodeToString(k[:]) }

// Encode returns the base64 form, for a key file.
func (k PresharedKey) Encode() string { return base64.StdEncoding.EncodeToString(k[:]) }

// String returns the base64 form.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// Compare orders public keys as byte strings.
func (k PublicKey) Compare(other PublicKey) int { return bytes.Compare(k[:], other[:]) }

// Format hides the key from every verb of package fmt.
func (PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// Format hides the key from every verb of package fmt.
func (PresharedKey) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// LogValue hides the key from package log/slog.
func (PrivateKey) LogValue() slog.Value { return slog.StringValue(hidden) }

// LogValue hides the key from package log/slog.
func (PresharedKey) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the key from encoders such as encoding/json.
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalText hides the key from encoders such as encoding/json.
func (PresharedKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }
