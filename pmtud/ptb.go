package pmtud

import "time"

// A PTB is an ICMP Packet Too Big message or its IPv4 twin, as the caller has
// parsed it.
type PTB struct {
	// MTU is the offered one, in bytes of the outer IP packet.
	MTU int
	// Validated says that the message quotes the addresses and ports of this
	// path, and the SPI and a sequence number of a packet that was recently
	// sent on it (RFC 8899, 4.6.1).
	Validated bool
	// Size is the size of that packet as it was sent, in bytes of the outer IP
	// packet, from SentLog or the caller's own knowledge, not from the quoted
	// headers. It means nothing unless Validated.
	Size int
}

// PTB takes in a PTB: a hint, never an order (RFC 8899, 4.6.2). A validated one
// below the PLPMTU goes back to BASE_PLPMTU at once and probes for the offered
// MTU; any other causes at most a verification of the PLPMTU, which is
// rate-limited and changes nothing by itself.
func (d *Discovery) PTB(m PTB, now time.Time) {
	s := &d.search
	offered := s.grid.floor(m.MTU)
	switch {
	case d.state == Disabled || d.cfg.Mode == Off:
	case d.ptbs.ignores(now): // section 8: probes have contradicted several
	case offered < s.grid.min: // PL_PTB_SIZE < MIN_PLPMTU
	case !m.Validated:
		if offered < d.plpmtu && !d.standby.on {
			d.verifyPLPMTU(&d.ptbs.verify, m.MTU, now)
		}
	case m.MTU >= m.Size: // PL_PTB_SIZE >= PROBED_SIZE
	case d.state == Base || d.suspended.plpmtu > 0: // being asked already
		s.hint = m.MTU
	case offered < d.plpmtu: // PL_PTB_SIZE < PLPMTU
		if d.ptbs.accepts(now) {
			s.hint = m.MTU
			d.transition(validPTB, now)
		}
	case d.state != SearchComplete: // PLPMTU <= PL_PTB_SIZE < PROBED_SIZE: the next search point
		s.hint = m.MTU
	}
}
