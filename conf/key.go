package conf

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// ParseKey reads a key of any kind, which is 32 bytes in base64. The error says
// why a text is no key. It does not show the text, which may be a secret.
func ParseKey(s string) (k [keySize]byte, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	switch {
	case s == "":
		return k, errors.New("empty")
	case strings.Contains(s, "-----BEGIN"):
		return k, errors.New("in PEM form, which is not read here")
	case strings.ContainsAny(s, "\r\n"):
		return k, errors.New("more than one line")
	case isHexKey(s):
		return k, errors.New("in hexadecimal, not in base64")
	case err != nil:
		return k, errors.New("not base64")
	case len(b) != keySize:
		return k, fmt.Errorf("%d bytes in base64 instead of %d", len(b), keySize)
	case [keySize]byte(b) == k:
		return k, errors.New("all zero")
	}
	return [keySize]byte(b), nil
}

func isHexKey(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == keySize
}

// secret reads the key in a file that maker would have made.
func (a at) secret(path, maker string) (SecretKey, bool) {
	data, err := a.d.readKey(path)
	var known *Error
	switch {
	case errors.As(err, &known):
		a.fail(known.Problem, known.Hint)
	case errors.Is(err, fs.ErrNotExist):
		a.fail(path+" does not exist", fmt.Sprintf("make it: (umask 077; %s > %s)", maker, path))
	case errors.Is(err, fs.ErrPermission):
		a.fail(path+" cannot be read by this user", "run as root or as the owner of the file")
	case err != nil:
		a.fail(err.Error(), "")
	case len(data) > MaxKeyFile:
		a.fail(fmt.Sprintf("%s has more than %d bytes", path, MaxKeyFile), "one key, as `"+maker+"` prints it")
	default:
		key, err := ParseKey(strings.TrimSpace(string(data)))
		if err == nil {
			return key, true
		}
		a.fail(fmt.Sprintf("%s does not hold a key: %s", path, err), fmt.Sprintf("one line of %d base64 characters, as `%s` prints it", keyLength, maker))
	}
	return SecretKey{}, false
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
	eight, _ := edwards25519.NewScalar().SetCanonicalBytes([]byte{8, keySize - 1: 0})
	part := new(edwards25519.Point).ScalarMult(edwards25519.NewScalar().Invert(eight), point)
	return part.MultByCofactor(part).Equal(point) == 1
}
