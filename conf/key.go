package conf

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"filippo.io/edwards25519"
	fp "filippo.io/edwards25519/field"
	"golang.org/x/crypto/curve25519"
)

const (
	keySize   = 32
	keyLength = (keySize + 2) / 3 * 4 // of a key in base64, in characters
)

type (
	// Key is an X25519 public key (RFC 7748). The zero Key means no key.
	Key [keySize]byte
	// SecretKey is a private or preshared key. The zero SecretKey means no key.
	//
	// It prints itself as "(hidden)" through fmt, log/slog and encoders of
	// text such as encoding/json. fmt calls no methods of an unexported field
	// and would print its bytes, so keep secrets in exported fields or behind a
	// pointer. The verb %p calls no method either; go vet finds it.
	SecretKey [keySize]byte
)

const hidden = "(hidden)"

// String returns the base64 form.
func (k Key) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// MarshalText returns the base64 form.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// IsZero reports whether there is no key.
func (k SecretKey) IsZero() bool { return k == SecretKey{} }

// String hides the key.
func (SecretKey) String() string { return hidden }

// Format hides the key from every verb of package fmt.
func (SecretKey) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// LogValue hides the key from package log/slog.
func (SecretKey) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the key from encoders.
func (SecretKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// keyProblem says why a text is no key. It does not show the text, which may
// be a secret in the wrong place.
type keyProblem string

func (p keyProblem) Error() string { return string(p) }

// parseKey reads 32 bytes in base64.
func parseKey(s string) (k [keySize]byte, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	switch {
	case s == "":
		return k, keyProblem("empty")
	case strings.Contains(s, "-----BEGIN"):
		return k, keyProblem("in PEM form, which is not read here")
	case strings.ContainsAny(s, "\r\n"):
		return k, keyProblem("more than one line")
	case isHexKey(s):
		return k, keyProblem("in hexadecimal, not in base64")
	case err != nil:
		return k, keyProblem("not base64")
	case len(b) != keySize:
		return k, keyProblem(fmt.Sprintf("%d bytes in base64 instead of %d", len(b), keySize))
	case [keySize]byte(b) == k:
		return k, keyProblem("all zero")
	}
	return [keySize]byte(b), nil
}

func isHexKey(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == keySize
}

// clamped reports whether k has the form of a private key of RFC 7748 section
// 5, as `fathom genkey` and most other programs make it. One in 16 public keys
// has the same by chance: three bits are 0, one is 1, and the highest is always 0.
func (k SecretKey) clamped() bool {
	return k[0]&7 == 0 && k[keySize-1]&0xc0 == 0x40
}

// public returns the public key of a private key.
func (k SecretKey) public() (public Key) {
	curve25519.ScalarBaseMult((*[keySize]byte)(&public), (*[keySize]byte)(&k))
	return public
}

// possible reports whether k can be a public key at all. A private key is a
// multiple of 8 (RFC 7748 section 5), so its public key is a point that is 8 times
// another. Among other numbers, such as private keys, one in 16 is.
func (k Key) possible() bool {
	var u, y fp.Element
	if u.SetBytes(k[:]); !bytes.Equal(u.Bytes(), k[:]) {
		return false // not in canonical form
	}
	// On edwards25519 the point has y = (u-1)/(u+1): RFC 7748 section 4.1.
	one := new(fp.Element).One()
	y.Multiply(y.Subtract(&u, one), u.Invert(u.Add(&u, one)))
	point, err := new(edwards25519.Point).SetBytes(y.Bytes())
	if err != nil {
		return false // not on the curve
	}
	part := new(edwards25519.Point).ScalarMult(eighth, point)
	return part.MultByCofactor(part).Equal(point) == 1
}

// eighth times 8 is 1 modulo the order of the points that are 8 times another.
var eighth = func() *edwards25519.Scalar {
	eight, err := edwards25519.NewScalar().SetCanonicalBytes(append([]byte{8}, make([]byte, keySize-1)...))
	if err != nil {
		panic(err)
	}
	return edwards25519.NewScalar().Invert(eight)
}()
