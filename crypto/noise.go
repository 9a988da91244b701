package crypto

import (
	"crypto/ecdh"
	"io"

	"github.com/flynn/noise"
)

// prologue binds both ends to this protocol and its version; the header of the
// initiation follows it, so that the header cannot be changed on the way.
const prologue = "fathom v1"

// newState begins one end's side of a handshake whose initiation has the given
// header; remote is the initiator's alone.
func newState(static *ecdh.PrivateKey, remote, header []byte, random io.Reader) (*noise.HandshakeState, error) {
	products := &x25519{keys: []*ecdh.PrivateKey{static}}
	return noise.NewHandshakeState(noise.Config{
		CipherSuite:           noise.NewCipherSuite(products, noise.CipherChaChaPoly, noise.HashBLAKE2s),
		Random:                random,
		Pattern:               noise.HandshakeIK,
		Initiator:             remote != nil,
		Prologue:              append([]byte(prologue), header...),
		PresharedKeyPlacement: 2,
		StaticKeypair:         noise.DHKey{Private: static.Bytes(), Public: static.PublicKey().Bytes()},
		PeerStatic:            remote,
	})
}

// usablePoint reports whether a public key from the network yields a shared
// secret at all. With an unusable key a Noise state fails in the middle of a
// message and is of no use afterwards.
func usablePoint(static *ecdh.PrivateKey, point []byte) bool {
	public, err := ecdh.X25519().NewPublicKey(point)
	if err != nil {
		return false
	}
	_, err = static.ECDH(public)
	return err == nil
}
