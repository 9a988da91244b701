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
	// Sequence is the quoted packet's sequence number on the present SA, 0 if unknown.
	// If that packet has arrived, as reports tell, the message lies; if it was lost, it
	// does not, even if other packets of the size pass.
	Sequence uint32
}

// PTB takes in a PTB: a hint, never an order (RFC 8899, 4.6.2). A validated one
// below the PLPMTU goes back to BASE_PLPMTU at once and probes for the offered
// MTU; any other causes at most a verification of the PLPMTU, which is
// rate-limited and changes nothing by itself.
func (d *Discovery) PTB(m PTB, now time.Time) { d.cfg.Counts.ptb(d.believes(m, now)) }

// believes takes in a PTB, and reports whether anything but a verification follows.
func (d *Discovery) believes(m PTB, now time.Time) bool {
	s := &d.search
	offered := s.grid.floor(m.MTU)
	switch {
	case d.state == Disabled || d.cfg.Mode == Off:
	case d.ptbs.ignores(now): // section 8: probes have contradicted several
	case offered < s.grid.min: // PL_PTB_SIZE < MIN_PLPMTU, or 0 as before RFC 1191: no size to begin with
		d.verifyPLPMTU(&d.ptbs.verify, 0, now)
	case !m.Validated:
		if offered < d.plpmtu && !d.standby.on {
			d.verifyPLPMTU(&d.ptbs.verify, m.MTU, now)
		}
	case m.MTU >= m.Size: // PL_PTB_SIZE >= PROBED_SIZE
	case d.state == Base || d.suspended.plpmtu > 0: // being asked already
		s.hint = m.MTU
		return true
	case d.trial.phase == larger && d.plpmtu == d.trial.size && d.trial.good <= offered && offered < d.plpmtu:
		d.reject(now) // to a size that is known to pass
		return true
	case offered < d.plpmtu: // PL_PTB_SIZE < PLPMTU
		unheard := d.ptbs.quotes(m, now)
		if m.Sequence > 0 && now.Sub(d.ptbs.belied) < doubtful { // reports on its packet tell, or else a fan
			if unheard {
				d.verifyPLPMTU(&d.ptbs.verify, m.MTU, now)
			}
		} else if d.ptbs.accepts(now) {
			s.hint = m.MTU
			d.transition(validPTB, now)
			return true
		}
	case d.state != SearchComplete: // PLPMTU <= PL_PTB_SIZE < PROBED_SIZE: the next search point
		s.hint = m.MTU
		return true
	}
	return false
}

// hearOfQuote takes in what a report tells of the packet that a PTB quotes.
func (d *Discovery) hearOfQuote(q *request, received bitmap, now time.Time) {
	t := &d.ptbs
	if !t.open || t.quote.Sequence > q.top {
		return
	}
	switch arrived, told := received.has(t.quote.Sequence); {
	case !told: // too long ago
		t.open = false
	case arrived:
		t.open = false
		t.contradict(t.quotedAt)
	case received.highest-t.quote.Sequence >= reorderPackets:
		t.open = false
		if t.quote.Size > d.plpmtu || t.quote.Size <= d.detector.sizes.above {
			return // says nothing of the PLPMTU
		}
		d.trial.told, d.trial.toldUntil = t.quote.MTU, now.Add(doubtful)
	}
}
