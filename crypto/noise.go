package crypto

import (
	"crypto/ecdh"
	"io"

	"github.com/flynn/noise"
)

// prologue binds both ends to this protocol and its version; the header of the
// initiation follows it, so that the header cannot be changed on the way.
const prologue = "fathom v1"

var cipherSuite = noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashBLAKE2s)

// newState begins one end's side of a handshake whose initiation has the given
// header; remote is the initiator's alone.
func newState(local PrivateKey, public PublicKey, remote, header []byte, random io.Reader) (*noise.HandshakeState, error) {
	return noise.NewHandshakeState(noise.Config{
		CipherSuite:           cipherSuite,
		Random:                random,
		Pattern:               noise.HandshakeIK,
		Initiator:             remote != nil,
		Prologue:              append([]byte(prologue), header...),
		PresharedKeyPlacement: 2,
		StaticKeypair:         noise.DHKey{Private: local[:], Public: public[:]},
		PeerStatic:            remote,
	})
}

// usablePoint reports whether a public key from the network yields a shared
// secret at all. With an unusable key a Noise state fails in the middle of a
// message and is of no use afterwards.
func usablePoint(local PrivateKey, point []byte) bool {
	public, err := ecdh.X25519().NewPublicKey(point)
	if err != nil {
		return false
	}
	private, err := ecdh.X25519().NewPrivateKey(local[:])
	if err != nil {
		return false
	}
	_, err = private.ECDH(public)
	return err == nil
}
