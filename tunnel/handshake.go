package tunnel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"fathom/crypto"
	"fathom/tunnel/status"
)

// This file acts on the handshaker's outcomes.

// resolveEvery is how many attempts pass between look-ups of the endpoints'
// names, unless it takes more to call every place once.
const resolveEvery = 4

// initiate sends an initiation to a peer, or finds out first where it is. When
// many are to be called at once, the peer waits for its turn.
func (c *controller) initiate(p *peer, now time.Time) {
	if p.initiations.attempts%max(resolveEvery, p.callsInRound()) == 0 && !p.initiations.turn {
		c.resolve(p)
	}
	if p.initiations.attempts%max(1, p.callsInRound()) == 0 && !p.initiations.turn {
		c.planCalls(p, now)
	}
	path := p.nextEndpoint()
	if path == nil {
		c.handshaker.initiate(p, netip.AddrPort{}, now)
		return
	}
	if !p.initiations.inTurn(&c.turns, now) {
		return
	}
	if c.wouldLoop(p, path, now) {
		c.handshaker.initiate(p, netip.AddrPort{}, now)
		return
	}
	c.countWays(p, path.Remote())
	o := c.handshaker.initiate(p, path.Remote(), now)
	if o.datagram != nil {
		p.attempts.tries(o.to, now)
		if err := c.call(p, p.initiations.latest(), o.datagram, path.Destination); err != nil {
			// Another place may be silent, which says more.
			p.attempts.fails(status.ReasonNoWay, fmt.Sprintf("cannot send to %v: %v", o.to, err), time.Time{})
			c.log.Debug("initiation", "peer", p.name, "endpoint", o.to, "error", err)
		}
	}
	c.warn(p, o.err, now)
}

// handleAnswer acts on an answer to an initiation of ours.
func (c *controller) handleAnswer(message []byte, by origin, now time.Time) {
	o := c.handshaker.handleAnswer(message, by.from, now)
	id, _ := crypto.ReceiverID(message)
	switch {
	case o.pair != nil:
		c.portAnswered(o.peer, id, now)
	case o.datagram != nil: // what was answered is sent again
		o.by = c.port.again(id, o.peer.initiations.latest())
	}
	c.carryOut(o, by, now)
}

// handleInitiation acts on an initiation that has been opened.
func (c *controller) handleInitiation(pending *crypto.Pending, by origin, now time.Time) {
	p := c.handshaker.peers[pending.Remote()]
	if p == nil {
		c.stranger.calls(pending.Remote().String(), by.from, now)
	}
	if p != nil && (len(c.uplinks) > 1 || len(p.candidates) > 1) {
		c.countWays(p, by.from)
	}
	o := c.handshaker.handleInitiation(pending, by.from, now)
	if o.pair != nil && !p.up {
		p.attempts.answers(now)
	}
	c.carryOut(o, by, now)
}

// carryOut acts on the outcome of a message.
func (c *controller) carryOut(o outcome, by origin, now time.Time) {
	if o.pair != nil {
		c.install(o, by, now)
	}
	err := o.err
	to, loops := c.answers.to(by), false // what strangers may cause costs no look-up
	if o.datagram != nil && o.peer != nil {
		path := c.by(o.peer, origin{from: o.to, local: by.local, index: by.index})
		to, loops = path.Destination, c.wouldLoop(o.peer, path, now)
	}
	if o.datagram != nil && !loops {
		send := c.messenger.plain
		if o.by != nil {
			send = o.by.plain
		}
		err = errors.Join(err, send(o.datagram, to))
	}
	if err != nil {
		c.drops.count(handshakeDropReason(err))
		c.log.Debug("handshake message dropped", "from", by.from, "error", err)
	}
	if o.peer != nil {
		o.peer.attempts.failsWith(o.err, now)
	}
	c.warn(o.peer, o.err, now)
	c.tell(o.peer, o.notice, now)
	if o.peer != nil {
		c.attend(o.peer, now)
	}
}

// handshakeDropReason names the reason behind the error of a handshake message that
// the gate has let through.
func handshakeDropReason(err error) dropReason {
	if errors.Is(err, errTooOften) {
		return dropHandshakeRate
	}
	return dropHandshake
}

// install puts the SAs of a handshake where they belong. Those that this end
// has asked for are in use from now on.
func (c *controller) install(o outcome, by origin, now time.Time) {
	p, pair := o.peer, o.pair
	if pair.remote != p.public {
		p.public = pair.remote
		c.log.Info("the peer uses its other public key", "peer", p.name, "public_key", p.public)
	}
	switched := p.sas.add(pair, now)
	pair.local = by.local
	c.spis.add(pair.inbound)
	if err := c.keys.add(o.keys, by.local, by.from.Addr()); err != nil {
		c.log.Error("debug_esp_sa_file", "error", err)
	}
	if !pair.initiator {
		return
	}
	if switched {
		p.liveness.reset(now)
	}
	c.handshook(p, by, pair.rtt, now)
	c.leavePlaces(p, by.from, now)
	if switched {
		c.established(p, now)
	}
	p.reached(by.from, pair.rtt)
}

// established puts to use the pair that has become the current one.
func (c *controller) established(p *peer, now time.Time) {
	pair, first := p.sas.current, !p.up
	p.up = true
	c.heard(p)
	p.paths.Decides(pair.decides, pair.features&featureDecides != 0, pair.superior)
	p.publish()
	if !pair.counted {
		pair.counted = true
		if pair.own == c.handshaker.public { // else our key has changed since it was made
			p.accepted = pair.own
		}
		p.handshakes++
		p.last = now
		event, level := "rekeyed", slog.LevelDebug
		if first {
			event, level = "peer established", slog.LevelInfo
		}
		c.log.Log(context.Background(), level, event, "peer", p.name, "cipher", pair.outbound.Suite(), "initiator", pair.initiator,
			"generation", pair.rank.generation, "send_spi", spiString(pair.outbound.SPI()), "receive_spi", spiString(pair.inbound.spi))
	}
	if first {
		p.beginDiscovery(now)
	} else {
		p.discovery.NewSA(&pair.outbound.sizes)
	}
	c.offerWays(p, now)
}

// reached takes note that a handshake with the peer at an address took the round trip,
// 0 if that is unknown.
func (p *peer) reached(at netip.AddrPort, rtt time.Duration) {
	if p.path != nil && p.path.Remote() == at && rtt > 0 {
		p.discovery.SeedRTT(rtt)
	}
}

func spiString(spi uint32) string { return fmt.Sprintf("0x%08x", spi) }
