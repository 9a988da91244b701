package crypto

import (
	"crypto/ecdh"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/flynn/noise"
)

// Initiator is one attempt at a handshake from the end that begins it. Each
// retry is a new Initiator. It is not safe for concurrent use.
type Initiator struct {
	static *ecdh.PrivateKey
	public PublicKey
	remote PublicKey
	id     uint32
	state  *noise.HandshakeState // nil once complete
	offer  Offer
	// challenge is what the initiation returns; zero: none.
	challenge [challengeSize]byte
	timestamp uint64        // of our initiation
	mac1      [macSize]byte // of our initiation
	sentAt    time.Time
}

// NewInitiator begins an attempt towards the peer with the given public key.
// A zero psk means no preshared key. All randomness of the attempt comes from
// random.
func NewInitiator(local PrivateKey, remote PublicKey, psk PresharedKey, random io.Reader) (*Initiator, error) {
	static, err := local.ecdh()
	if err != nil {
		return nil, err
	}
	var id [4]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return nil, fmt.Errorf("crypto: handshake id: %w", err)
	}
	number := binary.BigEndian.Uint32(id[:])
	state, err := newState(static, remote[:], appendHeader(nil, Initiation, number), random)
	if err == nil {
		err = state.SetPresharedKey(psk[:])
	}
	if err != nil {
		return nil, fmt.Errorf("crypto: begin handshake: %w", err)
	}
	return &Initiator{static: static, public: publicOf(static), remote: remote, id: number, state: state}, nil
}

// ID returns the number by which the answers name this attempt.
func (i *Initiator) ID() uint32 { return i.id }

// Return makes the initiation return a challenge of the peer's, unless that is too
// old by now. Call it before Initiation; each challenge is good for one.
func (i *Initiator) Return(c Challenge, now time.Time) { i.challenge = c.at(now).value }

// Returns reports whether the initiation returns a challenge.
func (i *Initiator) Returns() bool { return i.challenge != [challengeSize]byte{} }

// Timestamp returns that of the initiation, in nanoseconds of Unix time.
func (i *Initiator) Timestamp() uint64 { return i.timestamp }

// Initiation appends the first message to dst. It may be called once. The
// cookie is one that the peer gave before, or none. The timestamp in the
// message is now, by the wall clock. If it is not later than that of every earlier
// initiation to the same peer, the peer asks for a challenge back.
func (i *Initiator) Initiation(dst []byte, offer Offer, cookie Cookie, now time.Time) ([]byte, error) {
	i.offer, i.sentAt, i.timestamp = offer, now, timestampOf(now)
	start := len(dst)
	p := payload{offer, i.timestamp, i.challenge}
	out, _, _, err := i.state.WriteMessage(appendHeader(dst, Initiation, i.id), p.append(nil))
	if err != nil {
		return dst, fmt.Errorf("crypto: initiation: %w", err)
	}
	out, i.mac1 = appendMACs(out, start, i.remote, cookie.at(now))
	return out, nil
}

// Finish reads the response and returns the keys. The error is ErrMalformed,
// ErrMAC, ErrAuth, ErrNoCommonSuite or ErrCompleted. A message that is not
// authentic leaves the Initiator ready for the true response.
func (i *Initiator) Finish(response []byte) (Keys, error) {
	if i.state == nil {
		return Keys{}, ErrCompleted
	}
	if t, err := MessageType(response); err != nil || t != Response || idOf(response) != i.id {
		return Keys{}, ErrMalformed
	}
	if !newMAC1Verifier(i.public).verify(response) {
		return Keys{}, ErrMAC
	}
	body := response[headerSize : len(response)-macsSize]
	if !usablePoint(i.static, body[:dhSize]) {
		return Keys{}, ErrAuth
	}
	plain, toResponder, toInitiator, err := i.state.ReadMessage(nil, body)
	if err != nil {
		return Keys{}, ErrAuth
	}
	// The Noise state is used up by now, whatever the authentic peer says.
	hash := i.state.ChannelBinding()
	i.state = nil
	answer, err := parsePayload(plain)
	if err != nil {
		return Keys{}, err
	}
	if len(answer.Suites) != 1 {
		return Keys{}, fmt.Errorf("%w: peer chose %d suites", ErrMalformed, len(answer.Suites))
	}
	if _, err := choose(i.offer.Suites, answer.Suites); err != nil {
		return Keys{}, err
	}
	f := finished{i.offer, answer.Offer, hash, toResponder, toInitiator}
	return f.keys(true)
}

// ConsumeCookieReply reads the answer of a peer under load to our initiation.
// The cookie is for the next Initiator.
func (i *Initiator) ConsumeCookieReply(message []byte) (Cookie, error) {
	if t, err := MessageType(message); err != nil || t != CookieReply || idOf(message) != i.id {
		return Cookie{}, ErrMalformed
	}
	value, err := openCookie(message, i.remote, i.mac1[:])
	if err != nil {
		return Cookie{}, err
	}
	return Cookie{value, i.sentAt.Add(cookieLifetime), true}, nil
}

// ConsumeChallenge reads the answer of a peer that doubts that our initiation is
// fresh. The challenge is for the next Initiator. The error is ErrMalformed, ErrMAC
// or ErrAuth. Only the peer can have made the challenge, and only in answer to this
// initiation.
func (i *Initiator) ConsumeChallenge(message []byte) (Challenge, error) {
	if t, err := MessageType(message); err != nil || t != FreshnessChallenge || idOf(message) != i.id {
		return Challenge{}, ErrMalformed
	}
	if !newMAC1Verifier(i.public).verify(message) {
		return Challenge{}, ErrMAC
	}
	key, err := challengeKey(i.static, i.remote, i.public, i.remote)
	if err != nil {
		return Challenge{}, err
	}
	c, err := openChallenge(message, key, i.mac1[:])
	if err != nil {
		return Challenge{}, err
	}
	c.Doubt.Timestamp, c.until = i.timestamp, i.sentAt.Add(challengeLifetime)
	return c, nil
}
