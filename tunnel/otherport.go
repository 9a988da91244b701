package tunnel

import (
	"context"
	"log/slog"
	"time"

	"fathom/tunnel/udp"
)

// A NAT or a firewall on the way may keep a mapping of our UDP port that leads nowhere
// any more, and each initiation keeps it alive. From another port of ours there is a new
// mapping. So when a peer has not answered for long, it is also called from a second
// port, in turn with the first, which stays in use for all else. When the second is
// answered it takes the place of the first; when the first is, it is given up.

const (
	// portPatience is how many initiations to a peer stay unanswered before another
	// port is tried: by then the operator has been warned, and what is short, such as
	// a restart of the peer or a change of routes, is over. If the peer has more
	// places, each has been called twice.
	portPatience = complainAfter + 1
	// trialRounds is how often the places of a peer are called from one second port
	// before another is tried: a mapping that was made while the line was down may be
	// dead as well.
	trialRounds = 5
	// oldPortStays is how long the first port still receives after it was replaced.
	// Peers that have not heard of the change send there: within idleEcho they are
	// heard of, or ask.
	oldPortStays = 3 * idleEcho
)

// otherPort decides from which port a peer is called. It belongs to the control
// goroutine; pure but for what open returns.
type otherPort struct {
	// hint is what the operator can do where there is no other port; empty: there is.
	hint string
	// open opens another port. Nil: there are no sockets.
	open  func() (*trial, error)
	trial *trial // the second port; nil: none
}

// trial is a second port of this end.
type trial struct {
	port   uint16
	plain  func(datagram []byte, to *udp.Destination) error
	accept func() // makes it the first
	close  func()
	calls  map[uint32]bool // the ids of the initiations from there
	by     map[*peer]int   // how many of them went to each peer
}

// patience returns how many initiations to a peer are left unanswered before something
// is done about the port.
func (p *peer) patience() int { return max(portPatience, 2*p.callsInRound()) }

// wantsPort reports whether another port may help a peer: one that this end is to call.
func (p *peer) wantsPort() bool { return len(p.endpoints) > 0 && p.unanswered >= p.patience() }

// called takes note of an initiation to a peer, and returns by which port it is to leave:
// the second in turn with the first, round by round, nil for the first. id is that of the
// initiation.
func (o *otherPort) called(p *peer, id uint32) (*trial, error) {
	p.unanswered++
	calls := max(p.callsInRound(), 1)
	if o.hint != "" || o.open == nil || !p.wantsPort() || p.unanswered/calls%2 == 1 {
		return nil, nil
	}
	if o.trial != nil && o.trial.by[p] == trialRounds*calls {
		o.giveUp()
	}
	if o.trial == nil {
		t, err := o.open()
		if err != nil {
			return nil, err
		}
		t.calls, t.by = make(map[uint32]bool), make(map[*peer]int)
		o.trial = t
	}
	o.trial.calls[id] = true
	o.trial.by[p]++
	return o.trial, nil
}

// again takes note of an initiation, with the given id, that takes the place of another
// since the peer has asked for something in it, and returns by which port it is to leave:
// by that of the other, nil for the first.
func (o *otherPort) again(other, id uint32) *trial {
	if o.trial == nil || !o.trial.calls[other] {
		return nil
	}
	o.trial.calls[id] = true
	return o.trial
}

// answered takes note of an answer to the initiation with the given id, and reports
// whether it was from the second port, which is the first from now on.
func (o *otherPort) answered(id uint32) (changed bool) {
	t := o.trial
	if t == nil || !t.calls[id] {
		return false
	}
	o.trial = nil
	t.accept()
	return true
}

// settle gives up the second port unless a peer still wants it.
func (o *otherPort) settle(peers []*peer) {
	if o.trial == nil {
		return
	}
	for _, p := range peers {
		if p.wantsPort() {
			return
		}
	}
	o.giveUp()
}

func (o *otherPort) giveUp() {
	o.trial.close()
	o.trial = nil
}

// call sends an initiation to a peer from the port that is its turn.
func (c *controller) call(p *peer, id uint32, datagram []byte, to *udp.Destination) error {
	was := c.port.trial
	t, err := c.port.called(p, id)
	switch {
	case err != nil:
		c.log.Debug("cannot open another UDP port", "error", err)
	case t != nil && t != was:
		level := slog.LevelDebug
		if !p.advised {
			level, p.advised = slog.LevelInfo, true
		}
		c.log.Log(context.Background(), level, "no answer: trying another UDP port", "peer", p.name, "port", t.port, "attempts", p.unanswered)
	}
	if hint := p.advice(&c.port); hint != "" && !p.advised {
		p.advised = true
		c.log.Warn("another UDP port may help", "peer", p.name, "attempts", p.unanswered, "hint", hint)
	}
	if t != nil {
		return t.plain(datagram, to)
	}
	return c.messenger.plain(datagram, to)
}

// advice says what may help a peer that does not answer any more and cannot be called
// from another port; empty: nothing, or there is another.
func (p *peer) advice(o *otherPort) string {
	if p.handshakes == 0 || !p.wantsPort() {
		return ""
	}
	return o.hint
}

// portHint says what the operator can do about a port that is lost on the way, if the
// tunnel cannot change it: the configuration names it, or the rules of a default route do.
func portHint(port uint16, defaults bool) string {
	const lost = "if the peer is up, a NAT or firewall on the way may have lost this UDP port: "
	switch {
	case port != 0:
		return lost + "choose another in tunnel.listen, or port 0, which Fathom changes by itself"
	case defaults:
		return lost + "a restart takes another"
	}
	return ""
}

// portAnswered takes note of the id that an answer to an initiation bears. If the port is
// another one now, all peers hear from it.
func (c *controller) portAnswered(p *peer, id uint32, now time.Time) {
	t := c.port.trial
	if !c.port.answered(id) {
		return
	}
	c.log.Info("another UDP port is answered, and used from now on", "peer", p.name, "from", c.host.port, "to", t.port)
	c.host.port = t.port
	c.ownPort.Store(uint32(t.port))
	for _, other := range c.peers {
		if other != p && other.up {
			other.newPort = true
			c.agenda.set(&other.appointment, now)
		}
	}
}

// heard takes note that a peer has been heard of.
func (c *controller) heard(p *peer) {
	p.unanswered, p.advised = 0, false
	p.attempts.end()
	c.port.settle(c.peers)
}

// tellPort lets a peer hear from the new port.
func (c *controller) tellPort(p *peer, now time.Time) {
	if !p.newPort {
		return
	}
	p.newPort = false
	if p.up {
		c.messenger.echo(p, now)
	}
}

// latest returns the id of the last initiation that was sent.
func (s *initiations) latest() uint32 { return s.outstanding[len(s.outstanding)-1].initiator.ID() }
