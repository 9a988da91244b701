package crypto

import (
	"crypto/ecdh"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/flynn/noise"
)

// Responder answers initiations to one private key. Any goroutine may use it.
type Responder struct {
	static *ecdh.PrivateKey
	public PublicKey
	mac1   *mac1Verifier
	random io.Reader
	jar    cookieJar
	// challenges has a secret of its own.
	challenges challenger
}

// NewResponder makes the Responder of a private key. All its randomness comes
// from random, which all goroutines that use the Responder must be able to read.
func NewResponder(local PrivateKey, random io.Reader) (*Responder, error) {
	static, err := local.ecdh()
	if err != nil {
		return nil, err
	}
	public := publicOf(static)
	return &Responder{static: static, public: public, mac1: newMAC1Verifier(public), random: random,
		jar: cookieJar{rotatingSecret{random: random}}, challenges: challenger{secret: rotatingSecret{random: random}}}, nil
}

// Recognizes reports whether a message is worth looking at: well formed, and
// from a sender that knows our public key. Cookie replies bear no such mark;
// Initiator.ConsumeCookieReply judges them.
func (r *Responder) Recognizes(message []byte) bool {
	t, err := MessageType(message)
	return err == nil && (t == CookieReply || r.mac1.verify(message))
}

// Proves reports whether an initiation proves, by a cookie, that its sender
// receives at its address. An initiation that Recognizes refuses proves nothing.
func (r *Responder) Proves(message []byte, from netip.AddrPort, now time.Time) bool {
	t, err := MessageType(message)
	return err == nil && t == Initiation && r.jar.check(message, from, now)
}

// Open reads an initiation. The error is ErrMalformed, ErrMAC or ErrAuth. It costs
// public-key work: under load, ask the sender for a proof of its address first, by a
// CookieReply.
func (r *Responder) Open(message []byte) (*Pending, error) {
	if t, err := MessageType(message); err != nil || t != Initiation {
		return nil, ErrMalformed
	}
	if !r.mac1.verify(message) {
		return nil, ErrMAC
	}
	state, err := newState(r.static, nil, message[:headerSize], r.random)
	if err != nil {
		return nil, fmt.Errorf("crypto: answer handshake: %w", err)
	}
	plain, _, _, err := state.ReadMessage(nil, message[headerSize:len(message)-macsSize])
	if err != nil {
		return nil, ErrAuth
	}
	p, err := parsePayload(plain)
	if err != nil {
		return nil, err
	}
	if p.timestamp == 0 {
		return nil, fmt.Errorf("%w: no timestamp", ErrMalformed)
	}
	return &Pending{id: idOf(message), local: r.public, mac1: mac1Of(message), remote: PublicKey(state.PeerStatic()), payload: p, state: state}, nil
}

// CookieReply appends to dst the answer to an initiation whose sender must
// prove that it receives at its address. It is smaller than the initiation.
func (r *Responder) CookieReply(dst, message []byte, from netip.AddrPort, now time.Time) ([]byte, error) {
	if t, err := MessageType(message); err != nil || t != Initiation {
		return dst, ErrMalformed
	}
	cookie, err := r.jar.make(from, now)
	if err != nil {
		return dst, err
	}
	mac1 := mac1Of(message)
	return sealCookie(dst, idOf(message), r.public, cookie, mac1[:], r.random)
}

// Accept decides whether an initiation is fresh, by what the guard of its sender
// remembers, and takes note of it there if it is. It is if its timestamp leaves no
// doubt, or if it returns a challenge of this end's. A challenge counts once, and
// only if none that was made later has come back. The error is ErrReplayedInitiation,
// which calls for no answer, or ErrChallengeRequired: then send a Challenge that says
// why. Without an error the doubt is what the challenge has dispelled.
func (r *Responder) Accept(g *ReplayGuard, p *Pending, now time.Time) (Doubt, error) {
	timestamp, clock := p.payload.timestamp, timestampOf(now)
	if timestamp == g.latest {
		return Doubt{}, ErrReplayedInitiation // the same again, as networks deliver it
	}
	made, returned := r.challenges.check(p.payload.challenge, p.remote, now)
	returned = returned && made > g.returnedAt
	doubt := g.doubt(timestamp, clock)
	if doubt.Kind != NoDoubt && !returned {
		return doubt, ErrChallengeRequired
	}
	if returned { // whether it was needed or not, lest it be used again
		g.returnedAt = made
	}
	g.note(timestamp, clock)
	return doubt, nil
}

// Challenge appends to dst the answer to an initiation that Accept doubts. It is
// smaller than the initiation. Nothing is remembered of it.
func (r *Responder) Challenge(dst []byte, p *Pending, doubt Doubt, now time.Time) ([]byte, error) {
	key, err := challengeKey(r.static, p.remote, p.remote, r.public)
	if err != nil {
		return dst, err
	}
	value, err := r.challenges.make(p.remote, now)
	if err != nil {
		return dst, err
	}
	out, err := sealChallenge(dst, p.id, key, &Challenge{Doubt: doubt, value: value}, p.mac1[:], r.random)
	if err != nil {
		return dst, err
	}
	out, _ = appendMACs(out, len(dst), p.remote, Cookie{})
	return out, nil
}

// Pending is an initiation that was read and not answered yet.
type Pending struct {
	id      uint32
	mac1    [macSize]byte
	local   PublicKey
	remote  PublicKey
	payload payload
	state   *noise.HandshakeState // nil once answered
}

// Remote returns the static key of the initiator. The message proves that its
// sender holds the private key, but not that it is fresh: see Responder.Accept.
func (p *Pending) Remote() PublicKey { return p.remote }

// Local returns the public key of the Responder that has read it.
func (p *Pending) Local() PublicKey { return p.local }

// Generation returns the least generation that the initiator asks for, 0 if it
// says none.
func (p *Pending) Generation() uint64 { return p.payload.Generation }

// Respond appends the response to dst and returns the keys. It may be called
// once. A psk that differs from the initiator's does not show here; the
// initiator will not accept the response.
func (p *Pending) Respond(dst []byte, psk PresharedKey, offer Offer) ([]byte, Keys, error) {
	if p.state == nil {
		return dst, Keys{}, ErrCompleted
	}
	suite, err := choose(p.payload.Suites, offer.Suites)
	if err != nil {
		return dst, Keys{}, err
	}
	offer.Suites = []uint16{suite}
	if err := p.state.SetPresharedKey(psk[:]); err != nil {
		return dst, Keys{}, fmt.Errorf("crypto: response: %w", err)
	}
	start := len(dst)
	answer := payload{Offer: offer}
	out, toResponder, toInitiator, err := p.state.WriteMessage(appendHeader(dst, Response, p.id), answer.append(nil))
	if err != nil {
		return dst, Keys{}, fmt.Errorf("crypto: response: %w", err)
	}
	out, _ = appendMACs(out, start, p.remote, Cookie{})
	f := finished{p.payload.Offer, offer, p.state.ChannelBinding(), toResponder, toInitiator}
	p.state = nil
	keys, err := f.keys(false)
	if err != nil {
		return dst, Keys{}, err
	}
	return out, keys, nil
}
