package tunnel

import (
	"net/netip"
	"time"

	"fathom/tunnel/host"
)

// This file follows changes of the host's own interfaces and routes: the ways
// out to the peers may be others.

// egressMTU asks the host for the way to an endpoint from an address of ours,
// which may be invalid, and returns its MTU.
func (c *controller) egressMTU(to netip.AddrPort, local netip.Addr) (int, error) {
	e, err := c.host.network.Egress(host.Flow{Remote: to, Local: netip.AddrPortFrom(local, c.host.port)})
	return e.MTU, err
}

// hostChanged makes the peers look for their ways out again that a change may
// concern. Each does so when it is its turn.
func (c *controller) hostChanged(change host.Change, now time.Time) {
	c.host.network.Forget()
	if change.Wide() {
		c.host.lookAround()
	}
	peers := 0
	for _, p := range c.peers {
		if path := p.path; path != nil && (change.Concerns(path.Remote().Addr()) || change.Concerns(path.Local())) {
			p.egressStale = true
			c.agenda.set(&p.appointment, now)
			peers++
		}
	}
	c.lookout.looked(now, peers)
}

// lookForEgress asks the host for the way to a peer, if that may be another.
func (c *controller) lookForEgress(p *peer, now time.Time) {
	if !p.egressStale {
		return
	}
	p.egressStale = false
	path := p.path
	mtu, err := c.egressMTU(path.Remote(), path.Local())
	if err != nil || mtu == path.egress {
		return // without a route there will be another change
	}
	c.log.Info("egress MTU", "peer", p.name, "from", path.egress, "to", mtu)
	p.setPath(path.with(path.plpmtu, path.settled, mtu))
	p.discovery.EgressMTU(mtu, now)
}

const (
	// gatherChanges is how long changes of the host are gathered after an answer.
	gatherChanges = 100 * time.Millisecond
	// restPerLook is the rest that follows on each peer that looks for its way, so
	// that a host that keeps changing, by a default route that flaps, say, costs a
	// few hundredths of a core however many peers there are.
	restPerLook = time.Millisecond
)

// lookout decides when changes of the host are answered: the first at once, those
// after it together. The zero value is ready; owned by the control goroutine.
type lookout struct {
	at    time.Time // when to look; zero: there is nothing to look for
	ready time.Time // not before
}

// told takes note of a change.
func (l *lookout) told(now time.Time) {
	if !l.at.IsZero() {
		return
	}
	l.at = now
	if l.ready.After(now) {
		l.at = l.ready
	}
}

// looked takes note that a number of peers have answered the changes until now.
func (l *lookout) looked(now time.Time, peers int) {
	l.at = time.Time{}
	l.ready = now.Add(gatherChanges + time.Duration(peers)*restPerLook)
}
