//go:build linux

package crowd

import (
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"fathom/crypto"
	"fathom/esp"
)

const (
	// maxOutstanding is how many unanswered initiations may still be answered.
	maxOutstanding = 3
	// collisionWindow is how long our initiation prevails over the hub's, if our
	// key is the greater one.
	collisionWindow = 500 * time.Millisecond
)

// calls are the initiations of a peer to the hub.
type calls struct {
	wanted      bool
	next        time.Time
	attempts    int
	sent        time.Time
	outstanding []*crypto.Initiator
	cookie      crypto.Cookie
	hastened    bool             // a cookie has already hastened an initiation
	challenge   crypto.Challenge // the hub's, to be returned
}

// want begins to call the hub at the given time.
func (c *calls) want(at time.Time) { c.wanted, c.next, c.attempts, c.hastened = true, at, 0, false }

// takeCookie takes the hub's cookie. Once in an exchange the attempt is made again at
// once, as by a real peer.
func (c *calls) takeCookie(cookie crypto.Cookie, now time.Time) {
	c.cookie = cookie
	if !c.hastened {
		c.next = now
		c.attempts--
	}
	c.hastened = true
}

// due reports whether an initiation is to be sent.
func (c *calls) due(now time.Time) bool { return c.wanted && !now.Before(c.next) }

// done ends the calls: a pair is in use.
func (c *calls) done() { c.wanted, c.outstanding, c.challenge = false, nil, crypto.Challenge{} }

// find returns the outstanding initiation that a message answers.
func (c *calls) find(message []byte) *crypto.Initiator {
	id, err := crypto.ReceiverID(message)
	i := slices.IndexFunc(c.outstanding, func(i *crypto.Initiator) bool { return i.ID() == id })
	if err != nil || i < 0 {
		return nil
	}
	return c.outstanding[i]
}

// featureFacts is the feature of a tunnel that tells how it is set up.
const featureFacts = 1 << 3

// offer is what a peer says of itself.
func offer() crypto.Offer {
	spi := uint32(random64()) | esp.MinSPI // few SPIs: no draw meets another
	return crypto.Offer{SPI: spi, Suites: []uint16{uint16(esp.AES256GCM)}, Features: featureFacts}
}

// call sends an initiation.
func (p *peer) call(now time.Time) {
	c := &p.calls
	c.next = now.Add(crypto.RetryAfter(c.attempts, rand.Reader))
	c.attempts++
	i, err := crypto.NewInitiator(p.private, p.crowd.public, crypto.PresharedKey{}, rand.Reader)
	if err != nil {
		return
	}
	i.Return(c.challenge, now)
	c.challenge = crypto.Challenge{}
	message, err := i.Initiation(esp.AppendMarker(nil), offer(), c.cookie, now)
	if err != nil {
		return
	}
	if len(c.outstanding) == maxOutstanding {
		c.outstanding = slices.Delete(c.outstanding, 0, 1)
	}
	c.outstanding, c.sent = append(c.outstanding, i), now
	p.send(message)
}

// handshake takes a message of the hub.
func (p *peer) handshake(message []byte, now time.Time) {
	kind, err := crypto.MessageType(message)
	if err != nil {
		return
	}
	if kind == crypto.Initiation {
		p.answer(message, now)
		return
	}
	i := p.calls.find(message)
	if i == nil {
		return
	}
	if kind == crypto.CookieReply {
		if cookie, err := i.ConsumeCookieReply(message); err == nil {
			p.calls.takeCookie(cookie, now)
		}
		return
	}
	if kind == crypto.FreshnessChallenge {
		challenge, err := i.ConsumeChallenge(message)
		if err != nil {
			return
		}
		p.calls.challenge = challenge
		if !i.Returns() {
			p.call(now) // one that has returned a challenge in vain waits for its turn
		}
		return
	}
	if keys, err := i.Finish(message); err == nil {
		if s := p.add(keys); s != nil {
			p.become(s, now)
		}
	}
}

// answer answers an initiation of the hub.
func (p *peer) answer(message []byte, now time.Time) {
	c := &p.calls
	if len(c.outstanding) > 0 && now.Sub(c.sent) < collisionWindow && p.public.Compare(p.crowd.public) > 0 {
		return // ours prevails
	}
	pending, err := p.responder.Open(message)
	if err != nil || pending.Remote() != p.crowd.public {
		return
	}
	doubt, err := p.responder.Accept(&p.replays, pending, now)
	if errors.Is(err, crypto.ErrChallengeRequired) {
		if challenge, err := p.responder.Challenge(esp.AppendMarker(nil), pending, doubt, now); err == nil {
			p.send(challenge)
		}
		return
	} else if err != nil {
		return
	}
	response, keys, err := pending.Respond(esp.AppendMarker(nil), crypto.PresharedKey{}, offer())
	if err != nil || p.add(keys) == nil {
		return
	}
	if c.wanted {
		c.next = now.Add(crypto.RetryAfter(0, rand.Reader))
	}
	p.send(response)
}
