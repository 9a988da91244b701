package crypto

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/flynn/noise"
)

// KeyMaterialSize is the size in bytes of one SA's keying material: a 256-bit
// key and a 32-bit salt (RFC 4106 section 8.1, RFC 7634 section 2).
const KeyMaterialSize = 36

// Keys are the outcome of a handshake: everything that a pair of SAs needs.
type Keys struct {
	SendSPI    uint32 // the peer receives under it
	ReceiveSPI uint32 // we receive under it
	Suite      uint16
	Features   uint64 // that both ends have
	// PeerFeatures are those that the peer has named.
	PeerFeatures uint64
	Generation   uint64 // of the pair, as the responder has said; 0: it has not
	// Send and Receive are the keying material of the two directions.
	Send, Receive [KeyMaterialSize]byte
}

// Format hides the keys from every verb of package fmt.
func (k Keys) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "SPIs 0x%08x/0x%08x suite %d %s", k.SendSPI, k.ReceiveSPI, k.Suite, hidden)
}

// schedule derives the keying material from a completed Noise handshake: from
// the key that Noise has split off for the direction, bound to the handshake
// by its hash and to the SA by SPIs and suite.
func schedule(split *noise.CipherState, handshakeHash []byte, direction string, receiverSPI, senderSPI uint32, suite uint16) (out [KeyMaterialSize]byte, err error) {
	secret := split.UnsafeKey()
	info := []byte("fathom v1 esp " + direction)
	info = binary.BigEndian.AppendUint32(info, receiverSPI)
	info = binary.BigEndian.AppendUint32(info, senderSPI)
	info = binary.BigEndian.AppendUint16(info, suite)
	key, err := hkdf.Key(sha256.New, secret[:], handshakeHash, string(info), KeyMaterialSize)
	if err != nil {
		return out, fmt.Errorf("crypto: key schedule: %w", err)
	}
	return [KeyMaterialSize]byte(key), nil
}

// finished is the result of a handshake before either end takes its view of it.
type finished struct {
	initiator, responder Offer // the responder's has one suite: the chosen one
	hash                 []byte
	// toResponder and toInitiator are the keys that Noise has split off.
	toResponder, toInitiator *noise.CipherState
}

// keys returns the outcome for one of the ends.
func (f *finished) keys(forInitiator bool) (Keys, error) {
	suite := f.responder.Suites[0]
	forward, err := schedule(f.toResponder, f.hash, "initiator to responder", f.responder.SPI, f.initiator.SPI, suite)
	if err != nil {
		return Keys{}, err
	}
	back, err := schedule(f.toInitiator, f.hash, "responder to initiator", f.initiator.SPI, f.responder.SPI, suite)
	if err != nil {
		return Keys{}, err
	}
	k := Keys{Suite: suite, Features: f.initiator.Features & f.responder.Features, Generation: f.responder.Generation}
	if forInitiator {
		k.PeerFeatures = f.responder.Features
		k.SendSPI, k.ReceiveSPI, k.Send, k.Receive = f.responder.SPI, f.initiator.SPI, forward, back
	} else {
		k.PeerFeatures = f.initiator.Features
		k.SendSPI, k.ReceiveSPI, k.Send, k.Receive = f.initiator.SPI, f.responder.SPI, back, forward
	}
	return k, nil
}
