package tunnel

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"fathom/tunnel/host"
	"fathom/tunnel/paths"
	"fathom/tunnel/udp"
)

// This file follows changes of the host's own interfaces and routes: the ways
// out to the peers may be others.

// egress asks the host for the way to a destination.
func (c *controller) egress(to *udp.Destination) (host.Egress, error) {
	return c.host.network.Egress(host.Flow{Remote: to.Remote(), Local: netip.AddrPortFrom(to.Local(), c.host.port), Interface: to.Interface()})
}

// noteWay takes note of why the host cannot send to the peer; nil: it can. A
// change is told once, but a way that comes and goes not each time. While the reason is a loop the peer has no session.
func (c *controller) noteWay(p *peer, to netip.AddrPort, err error, now time.Time) {
	was, looped := p.noWay, p.looped()
	p.noWay = err
	switch {
	case !(err == nil && was != nil || err != nil && was == nil || p.looped() != looped):
	case !p.wayTold.allow(now): // the status shows it
	case err == nil:
		c.log.Info("there is a way to the peer again", "peer", p.name, "endpoint", to)
	default:
		c.log.Warn("no way to peer", "peer", p.name, "endpoint", to, "error", err)
	}
	if p.looped() != looped {
		p.publish()
	}
}

// looped reports whether packets to the peer would enter the tunnel again.
func (p *peer) looped() bool { return errors.Is(p.noWay, host.ErrLoop) }

// wouldLoop reports whether a handshake message by a path to a peer would enter the
// tunnel, and takes note of that. Another error is the kernel's to tell, when the
// message is sent: an endpoint's name may have addresses of a family that the
// host has no route for. The way to where the peer is known to be is looked up again
// whenever the host changes; if it is a loop, that from another address of ours may be
// none.
func (c *controller) wouldLoop(p *peer, path *path, now time.Time) bool {
	if known := p.path; known != nil && known.Remote() == path.Remote() && !(p.looped() && known.Local() != path.Local()) {
		return p.looped()
	}
	_, err := c.egress(path.Destination)
	loops := errors.Is(err, host.ErrLoop)
	switch {
	case p.path != nil:
	case err == nil:
		c.noteWay(p, path.Remote(), nil, now)
	case loops && !c.hasWay(p.candidates):
		c.noteWay(p, path.Remote(), err, now)
	}
	return loops
}

// hasWay reports whether the host can send to one of the endpoints.
func (c *controller) hasWay(endpoints []netip.AddrPort) bool {
	return slices.ContainsFunc(endpoints, func(at netip.AddrPort) bool {
		_, err := c.egress(udp.NewDestination(at, netip.Addr{}))
		return err == nil
	})
}

// hostChanged makes the peers look for their ways out again that a change may
// concern. Each does so when it is its turn; the first ones do so now.
func (c *controller) hostChanged(change host.Change, now time.Time) {
	c.host.network.Forget()
	c.lookForAddress(now)
	c.learnAnswers()
	if change.Wide() {
		c.host.lookAround()
	}
	c.lookout.took(now)
	c.survey = survey{change: change, rest: c.peers}
	c.surveyPeers(now)
}

// survey is the search for the peers that a change of the host concerns. The zero value
// is none; owned by the control goroutine.
type survey struct {
	change    host.Change
	rest      []*peer   // to be asked
	at        time.Time // when, if there are any
	concerned int       // of the others
}

// surveyedAtOnce bounds how many peers are asked before the events are looked at that
// wait.
const surveyedAtOnce = 256

// surveyPeers goes on with the search, until it has asked them all.
func (c *controller) surveyPeers(now time.Time) {
	s := &c.survey
	change, next := s.change, s.rest[:min(len(s.rest), surveyedAtOnce)]
	s.rest, s.at = s.rest[len(next):], now
	for _, p := range next {
		if p.concerned(change) {
			p.egressStale, p.admitted = true, knownWays{}
			p.paths.Withdraw(func(q paths.Pair) bool { return change.Lost(q.Interface, q.Local) }, now)
			p.paths.Returned(func(q paths.Pair) bool { return change.Returned(q.Interface, q.Local) }, now)
			c.agenda.set(&p.appointment, now)
			s.concerned++
		}
	}
	if len(s.rest) == 0 {
		c.lookout.looked(now, s.concerned)
		c.survey = survey{}
	}
	c.attendDue(now)
}

// lookOut does what is due because the host has changed: all peers are asked about one
// change before the next is taken.
func (c *controller) lookOut(now time.Time) {
	if len(c.survey.rest) > 0 {
		c.surveyPeers(now)
		return
	}
	c.hostChanged(c.changes.Take(), now)
}

// lookOutAt returns when that is, zero for never.
func (c *controller) lookOutAt() time.Time {
	if len(c.survey.rest) > 0 {
		return c.survey.at
	}
	return c.lookout.at
}

// concerned reports whether a change of the host may concern the way to the peer, or,
// while none of its endpoints could be called, to one of those.
func (p *peer) concerned(change host.Change) bool {
	if path := p.path; path != nil {
		return change.Concerns(path.Remote().Addr()) || change.Concerns(path.Local()) || slices.ContainsFunc(p.ways, func(w host.Way) bool { return change.Concerns(w.Remote.Addr()) })
	}
	return p.looped() && slices.ContainsFunc(p.candidates, func(at netip.AddrPort) bool { return change.Concerns(at.Addr()) })
}

// lookForEgress asks the host for the way to a peer, if that may be another.
func (c *controller) lookForEgress(p *peer, now time.Time) {
	if !p.egressStale {
		return
	}
	p.egressStale = false
	p.refused = refusals{} // there may be a way by now
	path := p.path
	if path == nil {
		p.initiations.hurry(now)
		return
	}
	// What the host has lost is left before the host is asked what there is: while an
	// interface goes down the kernel may take its time to answer.
	if c.followPaths(p, now); p.path != path {
		c.lookAtPaths(p, now)
		path = p.path
	}
	c.offerWays(p, now)
	c.followPaths(p, now)
	c.lookForStandbys(p, now)
	if p.path != path {
		return // the host was asked for the way there
	}
	e, err := c.egress(path.Destination)
	c.noteWay(p, path.Remote(), err, now)
	if err != nil {
		return // there will be another change
	}
	switch {
	case e.Interface != path.by: // another way, from the same address
		next := *path
		c.move(p, &next, e, now)
		return
	case e.MTU == path.egress:
		return
	}
	c.log.Info("egress MTU", "peer", p.name, "from", path.egress, "to", e.MTU)
	p.setPath(path.with(path.plpmtu, path.settled, e.MTU))
	p.discovery.EgressMTU(e.MTU, now)
}

const (
	// gatherChanges is how long changes of the host are gathered for an answer, in the
	// long run.
	gatherChanges = 100 * time.Millisecond
	// gatherBurst is the same for the first ones after a rest, as many as fit
	// burstOfChanges: a way that is lost comes as several, of an address, a route and
	// an interface, and the last of them may be the one that matters.
	gatherBurst    = 5 * time.Millisecond
	burstOfChanges = 4 * gatherChanges
	// restPerLook is the rest that follows on each peer that looks for its way, so
	// that a host that keeps changing, by a default route that flaps, say, costs a
	// few hundredths of a core however many peers there are.
	restPerLook = time.Millisecond
)

// lookout decides when changes of the host are answered: the first at once, those
// after it together. The zero value is ready; owned by the control goroutine.
type lookout struct {
	at     time.Time // when to look; zero: there is nothing to look for
	last   time.Time // when it last did
	rested time.Time // when the rest is over that all looks so far have cost
}

// told takes note of a change.
func (l *lookout) told(now time.Time) {
	if !l.at.IsZero() {
		return
	}
	l.at = now
	for _, notBefore := range []time.Time{l.last.Add(gatherBurst), l.rested.Add(-burstOfChanges)} {
		if notBefore.After(l.at) {
			l.at = notBefore
		}
	}
}

// took takes note that the changes until now are being answered.
func (l *lookout) took(now time.Time) { l.at, l.last = time.Time{}, now }

// looked takes note that a number of peers answer them.
func (l *lookout) looked(now time.Time, peers int) {
	if l.rested.Before(now) {
		l.rested = now
	}
	l.rested = l.rested.Add(gatherChanges + time.Duration(peers)*restPerLook)
}
