package tunnel

import (
	"time"

	"fathom/crypto"
)

// Each concern of a peer says when it is due next, as far as that can be known.
// When packets flow cannot be known. They are noticed without work on the data
// path: while they flow the peer is looked at every tick, and the first packet
// after a rest raises an event. So an SA is replaced within a tick of the packet
// that is one too many, and an idle peer costs an echo every idleEcho.

// deadline is when the first of the concerns with an exact deadline is due, zero
// if none is.
func (p *peer) deadline() time.Time {
	var initiation, discovery, probe, hops, challenge, inquiry time.Time
	if p.sas.current != nil {
		challenge = p.nextLook()
	}
	if p.initiations.wanted {
		initiation = p.initiations.next
	}
	if p.probes() {
		discovery = p.discovery.Deadline()
	}
	if p.probeRun != nil {
		probe = p.probeRun.deadline()
	}
	if p.hopRun != nil {
		hops = p.hopRun.Deadline()
	}
	if p.inquiries.waiting() {
		inquiry = p.inquiries.next
	}
	return earliest(initiation, discovery, p.standbys.at, probe, hops, p.farHops.next, p.farFacts.next, challenge, inquiry, p.confirmAt())
}

// coarseDeadline is when the first of the concerns that may be up to a tick late
// is due.
func (p *peer) coarseDeadline(l crypto.Lifetime, now time.Time) time.Time {
	var rekey, liveness, keepalive, confirmation time.Time
	if p.sas.current != nil {
		if p.rekeys() {
			rekey = p.sas.newest().rekeyAt(l)
		}
		liveness = p.liveness.deadline()
		if p.probes() && !p.confirmation.last.IsZero() {
			confirmation = p.confirmation.deadline()
		}
	}
	if p.path != nil && !p.looped() {
		keepalive = p.keepalive.deadline()
	}
	return earliest(p.sas.expiry(l.HardAge()), p.heldUntil, rekey, liveness, keepalive, confirmation, p.pulse.deadline(now))
}

// numbered counts the packets that have a sequence number of the current SA, sent
// or not. A packet that is numbered when the pulse is felt raises no event, so it
// must be in the count.
func (p *peer) numbered() uint64 {
	if pair := p.sas.current; pair != nil {
		return uint64(pair.outbound.Packets())
	}
	return 0
}

// feelPulse looks whether packets flow. If not, the next one raises an event.
func (p *peer) feelPulse(now time.Time) {
	rx := p.authentic.Load()
	if p.pulse.look(now, rx, p.numbered()) {
		return
	}
	if pair := p.sas.current; pair != nil {
		pair.outbound.sizes.Watch()
		p.pulse.look(now, rx, p.numbered()) // earlier packets could not see the watch
	}
}
