package tunnel

import (
	"slices"

	"fathom/conf"
	"fathom/crypto"
)

// A peer that gets a new key has two for some time: the one that it had, and the coming
// one. It is found by either, and called by the one that it used last. Where that comes to
// nothing it is called by the other as well: what bears the MAC of a key that it does not
// have, it drops without a word.

// keysOf returns the public keys that a peer may have.
func keysOf(c *conf.Peer) (keys []crypto.PublicKey) {
	for _, key := range c.Keys() {
		keys = append(keys, crypto.PublicKey(key))
	}
	return keys
}

// known returns all keys by which the peer may be found, the one that it used last first.
func (p *peer) known() []crypto.PublicKey {
	return append([]crypto.PublicKey{p.public}, slices.DeleteFunc(slices.Clone(p.keys), func(k crypto.PublicKey) bool { return k == p.public })...)
}

// keyToCall returns the key by which the next initiation calls the peer: round by round
// of its places the one that it used last, and the other.
func (p *peer) keyToCall() crypto.PublicKey {
	known := p.known()
	return known[p.initiations.attempts/max(p.callsInRound(), 1)%len(known)]
}

// know makes the peers those that are found by their keys.
func (h *handshaker) know(peers []*peer) {
	h.peers = make(map[crypto.PublicKey]*peer, len(peers))
	for _, p := range peers {
		for _, key := range p.known() {
			h.peers[key] = p
		}
	}
}

// identity is the key of this end.
type identity struct {
	private   crypto.PrivateKey
	public    crypto.PublicKey
	responder *crypto.Responder
}

// become makes another key that of this end. What is under way with the one before comes
// to nothing: messages that bear the MAC of that are refused, and the answers to our own
// initiations are void.
func (h *handshaker) become(i *identity, peers []*peer) {
	h.private, h.public = i.private, i.public
	h.responder.Store(i.responder)
	for _, p := range peers {
		h.forget(p.initiations.abandon())
	}
}
