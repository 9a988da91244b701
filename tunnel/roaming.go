package tunnel

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"fathom/tunnel/host"
	"fathom/tunnel/paths"
	"fathom/tunnel/udp"
)

// This file does what package paths decides: it sends the challenges and responses, and
// publishes the pair in use as the peer's path. What arrives is told in origin.go, what
// the host offers in ways.go.

// movesBurst moves of a peer at once, and one each warnEvery, are worth a line of the
// log each.
const movesBurst = 5

// forgetPaths begins anew without pairs.
func (p *peer) forgetPaths() {
	p.paths = paths.New(paths.Config{Random: randomToken, Keepalive: p.config.Keepalive > 0})
}

func randomToken() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// lookAtPaths sends the challenges and responses that are due.
func (c *controller) lookAtPaths(p *peer, now time.Time) {
	if p.sas.current == nil {
		return
	}
	p.lookedAt = now
	p.actions = p.paths.Look(p.actions[:0], p.flow(), now)
	c.followPaths(p, now)
	p.allow()
	for _, a := range p.actions {
		if err := c.messenger.path(p, p.pathBy(a.Pair), a); errors.Is(err, udp.ErrNoSource) {
			p.paths.Withdraw(func(q paths.Pair) bool { return q == a.Pair }, now)
			c.followPaths(p, now)
		}
	}
}

// lookEvery is the least time between two looks at the paths of a peer because packets
// flow.
const lookEvery = 20 * time.Millisecond

// nextLook is when the paths are looked at next, zero for never: while packets flow by one
// of several, about twice a round trip, or a silence would be noticed too late.
func (p *peer) nextLook() time.Time {
	at := p.paths.Deadline()
	if p.paths.Several() && p.lookedAt.Before(p.pulse.until) {
		srtt, _ := p.discovery.RTT()
		at = earliest(at, p.lookedAt.Add(max(srtt/2, lookEvery)))
	}
	return at
}

// flow is what is known of the packets to and from a peer.
func (p *peer) flow() paths.Traffic {
	t := paths.Traffic{Sent: p.tx.packets.Load(), Received: p.rx.packets.Load(), Heard: p.authentic.Load()}
	t.Unanswered, t.Asked = p.discovery.Unanswered()
	t.SRTT, t.RTTVAR = p.discovery.RTT()
	return t
}

// followPaths makes the pair that is in use the path, and remembers where the peer is
// proved to be.
func (c *controller) followPaths(p *peer, now time.Time) {
	c.followCurrent(p, now)
	if p.paths.Proved(now) {
		p.provedAt = p.path.Remote()
	}
}

func (c *controller) followCurrent(p *peer, now time.Time) {
	for {
		pair, ok := p.paths.Current()
		if !ok || p.path != nil && p.path.pair == pair {
			return
		}
		path := p.pathBy(pair)
		e, known := p.egressOf(pair)
		if !known {
			var err error
			if e, err = c.egress(path.Destination); err != nil {
				if p.path == nil {
					c.noteWay(p, pair.Remote, err, now)
				}
				p.paths.Withdraw(func(q paths.Pair) bool { return q == pair }, now)
				continue
			}
		}
		c.move(p, path, e, now)
		return
	}
}

// move takes the peer to a path.
func (c *controller) move(p *peer, path *path, e host.Egress, now time.Time) {
	old, to := p.path, path.Remote()
	c.noteWay(p, to, nil, now)
	path.deviceMTU, path.by, path.allowance = c.host.fixed, e.Interface, nil
	if p.paths.Limited() {
		path.allowance = new(allowance) // filled by lookAtPaths, when a challenge has left
	}
	if old != nil && old.Remote() == to && old.by == path.by {
		// The same way back; only our own address on it is another.
		path.number, path.heldMTU = old.number, old.heldMTU
		if path.pair.Local != old.pair.Local {
			c.log.Log(context.Background(), c.moveLevel(p, now), "our address", "peer", p.name, "from", old.pair.Local, "to", path.pair.Local)
		}
		p.setPath(path.with(old.plpmtu, old.settled, e.MTU))
		if e.MTU != old.egress {
			p.discovery.EgressMTU(e.MTU, now)
		}
		return
	}
	p.changePath(path, e.MTU, now)
	c.places.follow(p)
	c.applyPLPMTU(p)
	path = p.path
	c.log.Log(context.Background(), c.moveLevel(p, now), "endpoint", "peer", p.name, "endpoint", to, "local", path.pair.Local, "plpmtu", path.plpmtu, "inner_mtu", path.innerMTU)
	c.endpoints.remember(p.public, to, now)
}

// moveLevel is the level at which a move is logged: the network decides how many there
// are.
func (c *controller) moveLevel(p *peer, now time.Time) slog.Level {
	if p.moves.allow(now) {
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
