package tunnel

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"fathom/crypto"
	"fathom/esp"
)

// initiate sends an initiation to a peer, or finds out first where it is.
func (c *controller) initiate(p *peer, now time.Time) {
	wait := crypto.RetryAfter(p.initiations.attempts, rand.Reader)
	if p.initiations.attempts%resolveEvery == 0 {
		c.resolve(p)
	}
	to := p.nextEndpoint()
	if to == nil {
		p.initiations.postpone(now, wait)
		return
	}
	initiator, err := crypto.NewInitiator(c.private, p.public, p.preshared, rand.Reader)
	if err != nil {
		c.log.Error("initiation", "peer", p.name, "error", err)
		p.initiations.postpone(now, wait)
		return
	}
	offer := c.offer()
	message, err := initiator.Initiation(esp.AppendMarker(nil), offer, p.initiations.cookie, now)
	if err == nil {
		err = c.sender.plain(message, to)
	}
	if err != nil {
		c.log.Debug("initiation", "peer", p.name, "endpoint", to.endpoint, "error", err)
	}
	p.initiations.sent(initiation{initiator, offer.SPI, to.endpoint, now}, wait)
	if p.initiations.attempts%complainEvery == 0 {
		c.complain(p, now, "no answer to handshake", "endpoint", to.endpoint, "attempts", p.initiations.attempts,
			"hint", "is the peer up, the UDP port open, and this host's public key in its configuration?")
	}
}

const (
	// resolveEvery is how many attempts pass between look-ups of the
	// endpoint's name.
	resolveEvery = 4
	// complainEvery is how many attempts pass between warnings.
	complainEvery = 5
)

// nextEndpoint returns where the next initiation goes: to where the peer was
// last, in turn with what its configured endpoint resolves to.
func (p *peer) nextEndpoint() *path {
	known := p.path
	endpoints := len(p.candidates)
	if known != nil {
		endpoints++
	}
	if endpoints == 0 {
		return nil
	}
	i := p.initiations.attempts % endpoints
	if known != nil {
		if i == 0 {
			return known
		}
		i--
	}
	return newPath(p.candidates[i], netip.Addr{})
}

// offer is what this end says of itself in a handshake. Each has an SPI of
// its own.
func (c *controller) offer() crypto.Offer {
	return crypto.Offer{SPI: c.spis.unused(), Suites: c.suites}
}

// handleHandshake acts on a message behind the non-ESP marker that bears our
// MAC.
func (c *controller) handleHandshake(message []byte, from netip.AddrPort, local netip.Addr, now time.Time) {
	kind, err := crypto.MessageType(message)
	if err != nil {
		c.drops.count(dropHandshake)
		return
	}
	switch kind {
	case crypto.Initiation:
		err = c.handleInitiation(message, from, local, now)
	case crypto.Response:
		err = c.handleResponse(message, from, local, now)
	case crypto.CookieReply:
		err = c.handleCookieReply(message)
	}
	if err != nil {
		c.drops.count(dropHandshake)
		c.log.Debug("handshake message dropped", "type", kind, "from", from, "error", err)
	}
}

var (
	errUnknownPeer  = errors.New("initiation from a public key that is no peer's")
	errCollision    = errors.New("our own initiation prevails")
	errUnknownID    = errors.New("answer to nothing that is outstanding")
	errCookieWanted = errors.New("under load: asked for a cookie")
)

func (c *controller) handleInitiation(message []byte, from netip.AddrPort, local netip.Addr, now time.Time) error {
	back := newPath(from, local)
	pending, err := c.responder.Open(message, from, c.load.high(now), now)
	if errors.Is(err, crypto.ErrCookieRequired) {
		reply, err := c.responder.CookieReply(esp.AppendMarker(nil), message, from, now)
		if err == nil {
			err = c.sender.plain(reply, back)
		}
		return errors.Join(errCookieWanted, err)
	} else if err != nil {
		return err
	}
	p := c.byKey[pending.Remote()]
	if p == nil {
		c.complain(nil, now, "handshake from a stranger", "from", from, "public_key", pending.Remote(),
			"hint", "to admit it, add a [[peer]] with this public_key")
		return errUnknownPeer
	}
	if p.initiations.prevails(from, c.public.Compare(p.public) > 0, now) {
		c.schedule(p, now)
		return errCollision
	}
	if err := p.replays.Accept(pending.Timestamp()); err != nil {
		return err
	}
	response, keys, err := pending.Respond(esp.AppendMarker(nil), p.preshared, c.offer())
	if errors.Is(err, crypto.ErrNoCommonSuite) {
		c.complain(p, now, "no cipher in common", "hint", "compare tunnel.ciphers of both ends")
	}
	if err != nil {
		return err
	}
	pair, err := newSAPair(p, keys, false, now)
	if err != nil {
		return err
	}
	p.sas.answered(pair, now)
	c.spis.add(pair.inbound)
	c.logKeys(keys, local, from.Addr())
	p.initiations.yield(now.Add(crypto.RetryAfter(0, rand.Reader)))
	pair.answered = from
	return c.sender.plain(response, back)
}

// answered finds the initiation of ours that a message answers.
func (c *controller) answered(message []byte) (*peer, initiation, error) {
	id, err := crypto.ReceiverID(message)
	if err != nil {
		return nil, initiation{}, err
	}
	for _, p := range c.peers {
		if i, ok := p.initiations.find(id); ok {
			return p, i, nil
		}
	}
	return nil, initiation{}, errUnknownID
}

func (c *controller) handleResponse(message []byte, from netip.AddrPort, local netip.Addr, now time.Time) error {
	p, i, err := c.answered(message)
	if err != nil {
		return err
	}
	keys, err := i.initiator.Finish(message)
	if err != nil {
		c.complain(p, now, "peer's answer is not authentic", "from", from,
			"hint", "do both ends have the same preshared_key_file contents, and does public_key name this peer?")
		return err
	}
	return c.complete(p, i, keys, from, local, now)
}

// complete installs the SAs of a handshake that this end began.
func (c *controller) complete(p *peer, i initiation, keys crypto.Keys, from netip.AddrPort, local netip.Addr, now time.Time) error {
	pair, err := newSAPair(p, keys, true, now)
	if err != nil {
		return err
	}
	p.initiations.done()
	p.sas.initiated(pair, now.Add(c.lifetime.HardAge()))
	c.spis.add(pair.inbound)
	c.logKeys(keys, local, from.Addr())
	p.liveness.reset(now)
	c.move(p, from, local, now)
	c.established(p, pair, from, now.Sub(i.sent), now)
	c.sendEcho(p, now)
	return nil
}

func (c *controller) handleCookieReply(message []byte) error {
	p, i, err := c.answered(message)
	if err != nil {
		return err
	}
	p.initiations.cookie, err = i.initiator.ConsumeCookieReply(message)
	return err
}

// newSAPair makes the SAs of a completed handshake.
func newSAPair(p *peer, keys crypto.Keys, initiator bool, now time.Time) (*saPair, error) {
	out, err := esp.NewOutbound(keys.SendSPI, esp.Suite(keys.Suite), keys.Send[:])
	if err != nil {
		return nil, fmt.Errorf("outbound SA: %w", err)
	}
	in, err := esp.NewInbound(keys.ReceiveSPI, esp.Suite(keys.Suite), keys.Receive[:])
	if err != nil {
		return nil, fmt.Errorf("inbound SA: %w", err)
	}
	inbound := &inboundSA{spi: keys.ReceiveSPI, peer: p, in: in}
	// Add is called under inbound.mu, which guards the window too.
	inbound.fragments.Arrived = func(seq uint32) bool { return in.Window().Check(seq) == esp.ErrReplay }
	return &saPair{
		inbound:     inbound,
		outbound:    &outboundSA{Outbound: out},
		initiator:   initiator,
		established: now,
	}, nil
}

// established puts to use a pair that has become the current one. The
// handshake has proved that the peer receives at the given address, and took
// the round trip.
func (c *controller) established(p *peer, pair *saPair, at netip.AddrPort, rtt time.Duration, now time.Time) {
	first := !p.up
	p.handshakes++
	event, level := "rekeyed", slog.LevelDebug
	if !p.up {
		event, level = "peer established", slog.LevelInfo
	}
	p.last, p.up = now, true
	c.log.Log(context.Background(), level, event, "peer", p.name, "cipher", pair.outbound.Suite(), "initiator", pair.initiator,
		"send_spi", spiString(pair.outbound.SPI()), "receive_spi", spiString(pair.inbound.spi))
	if first {
		c.beginDiscovery(p, now)
	}
	p.publish()
	p.discovery.NewSA(&pair.outbound.sizes)
	c.forwarder.releaseWaiting(p, now)
	if to := p.path; to != nil && to.endpoint == at {
		c.validate(p, rtt, now)
	}
}

// validate takes note of a round trip to the peer's endpoint: from now on it
// may be sent more than it has sent.
func (c *controller) validate(p *peer, rtt time.Duration, now time.Time) {
	p.validated = true
	p.discovery.SeedRTT(rtt)
	c.pollDiscovery(p, now)
}

// logKeys writes new keys to the key log, if that is on.
func (c *controller) logKeys(keys crypto.Keys, local, remote netip.Addr) {
	if err := c.keys.add(keys, local, remote); err != nil {
		c.log.Error("debug_esp_sa_file", "error", err)
	}
}

func spiString(spi uint32) string { return fmt.Sprintf("0x%08x", spi) }

// complain warns about a peer's handshakes, or with nil about strangers', but
// not often: the network decides how many there are.
func (c *controller) complain(p *peer, now time.Time, what string, details ...any) {
	last := &c.complained
	if p != nil {
		last = &p.complained
		details = append([]any{"peer", p.name}, details...)
	}
	if !last.IsZero() && now.Sub(*last) < warnEvery {
		c.log.Debug(what, details...)
		return
	}
	*last = now
	c.log.Warn(what, details...)
}

// handshakeLoad tells whether so many initiations arrive that the senders
// must prove their addresses first.
type handshakeLoad struct {
	second time.Time
	count  int
}

// maxInitiations is how many initiations a second are answered without a
// cookie.
const maxInitiations = 50

// high counts one initiation and reports whether they are too many.
func (l *handshakeLoad) high(now time.Time) bool {
	if now.Sub(l.second) >= time.Second {
		l.second, l.count = now, 0
	}
	l.count++
	return l.count > maxInitiations
}
