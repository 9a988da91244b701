package pmtud

import "time"

// A PTB is an ICMP Packet Too Big message or its IPv4 twin, as the caller has
// parsed it.
type PTB struct {
	// MTU is what the message offers, in bytes of the outer IP packet.
	MTU int
	// Validated says that the message quotes the addresses and ports of this
	// path and the SPI and a sequence number of a packet really sent on it of
	// late (RFC 8899, 4.6.1).
	Validated bool
	// Size is the size of that packet as it was sent, in bytes of the outer IP
	// packet, by SentLog or the caller's own knowledge. It is not what the
	// quoted headers claim, and means nothing unless Validated.
	Size int
}

// PTB takes in a PTB: a hint, never an order (RFC 8899, 4.6.2). A validated one
// below the PLPMTU goes back to BASE_PLPMTU at once and probes for what it
// offers; any other causes a verification of the PLPMTU at the most, which is
// rate-limited and changes nothing by itself.
func (d *Discovery) PTB(m PTB, now time.Time) {
	offered := d.grid.floor(m.MTU)
	switch {
	case d.state == Disabled || d.cfg.Mode == Off:
	case now.Before(d.ptbFrom): // section 8: suspended after contradicting probes
	case offered < d.grid.min: // PL_PTB_SIZE < MIN_PLPMTU
	case !m.Validated:
		if offered < d.plpmtu {
			d.verifySoon(m.MTU, now)
		}
	case m.MTU >= m.Size: // PL_PTB_SIZE >= PROBED_SIZE
	case d.state == Base || d.doubt.size > 0: // being asked already
		d.hint = m.MTU
	case offered < d.plpmtu: // PL_PTB_SIZE < PLPMTU
		if now.Sub(d.contradictedAt) >= ptbIgnored {
			d.contradicted = 0
		}
		if d.contradicted >= ptbContradicted {
			d.contradicted = 0
			d.ptbFrom = now.Add(ptbIgnored)
			return
		}
		d.hint = m.MTU
		d.transition(validPTB, now)
	case d.state != SearchComplete: // PLPMTU <= PL_PTB_SIZE < PROBED_SIZE: the next search point
		d.hint = m.MTU
	}
}

// verifySoon has the next fan confirm the PLPMTU.
func (d *Discovery) verifySoon(hint int, now time.Time) {
	if !d.mayVerify() || now.Before(d.verifyNext) {
		return
	}
	d.verify, d.hint = d.plpmtu, hint
	d.verifyNext = now.Add(d.verifyWait)
	d.verifyWait = min(2*d.verifyWait, maxVerifyInterval)
}

// mayVerify reports whether a fan may confirm the PLPMTU: none while probes
// are under way.
func (d *Discovery) mayVerify() bool {
	resting := d.state == SearchComplete || d.state == Error && d.settled
	return d.cfg.Mode == Fan && resting && d.verify == 0 && !d.round.open
}

// verified ends a verification.
func (d *Discovery) verified(confirmed bool, now time.Time) {
	if confirmed {
		d.reports.tally = tally{}
		return
	}
	d.verifyWait, d.reports.checkWait = verifyInterval, 0
	d.blackHole(now)
}
