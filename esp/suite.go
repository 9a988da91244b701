package esp

import (
	"crypto/cipher"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"fathom/esp/gcm"
)

// Suite is an AEAD for ESP, by its IKEv2 transform ID (IANA registry
// "Transform Type 1").
type Suite uint16

const (
	// AES256GCM is ENCR_AES_GCM_16 with a 256-bit key (RFC 4106).
	AES256GCM Suite = 20
	// ChaCha20Poly1305 is ENCR_CHACHA20_POLY1305 (RFC 7634).
	ChaCha20Poly1305 Suite = 28
)

// Sizes of the keying material of one SA in bytes: key, then salt
// (RFC 4106 section 8.1, RFC 7634 section 2).
const (
	KeySize         = 32
	saltSize        = 4
	KeyMaterialSize = KeySize + saltSize
)

var suiteNames = map[Suite]string{
	AES256GCM:        "aes-256-gcm",
	ChaCha20Poly1305: "chacha20-poly1305",
}

// Suites returns the suites there are, the preferred one first.
func Suites() []Suite { return []Suite{AES256GCM, ChaCha20Poly1305} }

// String returns the name by which the configuration knows the suite.
func (s Suite) String() string {
	if name, ok := suiteNames[s]; ok {
		return name
	}
	return fmt.Sprintf("suite-%d", uint16(s))
}

// ParseSuite is the inverse of Suite.String.
func ParseSuite(name string) (Suite, error) {
	for _, s := range Suites() {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("esp: unknown cipher %q", name)
}

// newAEAD returns the suite's AEAD and the salt.
func newAEAD(s Suite, keymat []byte) (cipher.AEAD, [saltSize]byte, error) {
	var salt [saltSize]byte
	if len(keymat) != KeyMaterialSize {
		return nil, salt, fmt.Errorf("esp: keying material has %d bytes, want %d", len(keymat), KeyMaterialSize)
	}
	copy(salt[:], keymat[KeySize:])
	var aead cipher.AEAD
	var err error
	switch s {
	case AES256GCM:
		aead, err = gcm.New(keymat[:KeySize])
	case ChaCha20Poly1305:
		aead, err = chacha20poly1305.New(keymat[:KeySize])
	default:
		err = fmt.Errorf("esp: no such suite: %d", uint16(s))
	}
	return aead, salt, err
}
