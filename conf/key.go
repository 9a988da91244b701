package conf

import (
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const keySize = 32

type (
	// Key is a public X25519 key.
	Key [keySize]byte
	// SecretKey is a private or preshared key. It does not print itself.
	SecretKey [keySize]byte
)

const hidden = "(hidden)"

// String returns the base64 form.
func (k Key) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// Format hides the key from every verb of package fmt.
func (SecretKey) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// LogValue hides the key from package log/slog.
func (SecretKey) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the key from encoders such as encoding/json.
func (SecretKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// parseKey reads 32 bytes in base64. Errors do not show the text.
func parseKey(s string) (k [keySize]byte, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	switch {
	case err != nil:
		return k, errors.New("not a key: it is not base64")
	case len(b) != keySize:
		return k, fmt.Errorf("not a key: it has %d bytes instead of %d", len(b), keySize)
	case [keySize]byte(b) == k:
		return k, errors.New("not a key: it is all zero")
	}
	return [keySize]byte(b), nil
}

// public returns the public key of a private key.
func (k SecretKey) public() Key {
	private, err := ecdh.X25519().NewPrivateKey(k[:])
	if err != nil {
		return Key{}
	}
	return Key(private.PublicKey().Bytes())
}
