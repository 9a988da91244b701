package tunnel

import "time"

const (
	// plpmtuEvery is how often the PLPMTU is confirmed until data has rested for
	// plpmtuOften. After that a confirmation comes after a part of the rest so far, at
	// the latest after plpmtuLatest.
	plpmtuEvery  = idleEcho
	plpmtuOften  = 2 * time.Minute
	plpmtuPart   = 4
	plpmtuLatest = time.Hour
)

// confirmationTimer is CONFIRMATION_TIMER (RFC 8899 section 5.1.1): it says when a probe
// of the PLPMTU is due because no large data shows that it still passes. So the shrink of
// an idle path is known before the first large packet. The ack is a sign of life, so the
// probe takes the place of an echo: see liveness. Owned by the control goroutine; pure.
// The zero value begins with the first look.
type confirmationTimer struct {
	data  uint64    // packets of data, both ways, at the last look
	flows time.Time // when data was last seen
	last  time.Time // the last confirmation
}

// look takes the number of packets of data so far, and whether any sent since the last
// look was large: reports tell of that. It reports whether a confirmation is due.
func (c *confirmationTimer) look(now time.Time, data uint64, large bool) (due bool) {
	if data != c.data || c.last.IsZero() {
		c.data, c.flows = data, now
	}
	if large || c.last.IsZero() {
		c.last = now
		return false
	}
	if now.Before(c.deadline()) {
		return false
	}
	c.last = now
	return true
}

// deadline is when the next confirmation is due.
func (c *confirmationTimer) deadline() time.Time {
	rest := c.last.Sub(c.flows)
	if rest < plpmtuOften {
		return c.last.Add(plpmtuEvery)
	}
	return c.last.Add(min(rest/plpmtuPart, plpmtuLatest))
}

// watchData learns how data leaves to a peer, and has the PLPMTU confirmed where that is
// due: after a rest, and as soon as large data leaves as no probe has left.
func (c *controller) watchData(p *peer, now time.Time) {
	if !p.probes() {
		return
	}
	large, fresh := p.recent.look(p.classes.take(), now)
	if large {
		p.probed++
		p.variants = p.recent.variants(nil, p.probed) // a probe run may keep the former ones
	}
	p.discovery.variants = p.variants
	if due := p.confirmation.look(now, p.tx.packets.Load()+p.rx.packets.Load(), large); due || fresh {
		p.unconfirmed = true
	}
	if p.unconfirmed && p.discovery.Confirm() {
		p.unconfirmed = false
		p.liveness.asks(now)
	}
}
