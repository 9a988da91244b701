package pmtud

import "time"

// A probe is one that was sent.
type probe struct {
	id      uint64
	size    int
	round   uint32
	sent    time.Time
	after   time.Duration // until its ack
	outcome Outcome
}

// A round is the fan in flight:
//
//	largest … smallest  sentinel             ack of the sentinel: what is unanswered
//	 ─▶ ─▶ ─▶ ─▶ ─▶ ─▶    ─▶   ··· 1 RTT ···  ◀─ has failed once, the next fan leaves
//
// The sentinel is of a size that passes if any does. Where answers come out
// of order, the round waits a quarter RTT more. An answer that comes after its
// round still counts, so a hasty conclusion mends itself.
type round struct {
	open    bool
	number  uint32
	first   uint32    // counter of its first probe
	count   int       // its probes
	started time.Time // when they left
	closeAt time.Time // when it closes at the latest
	answers int       // probes that were answered, whole or in fragments
	verify  int       // the size to be confirmed, 0 if none
	silent  int       // fans in a row, before this, without any answer
}

// openRound sends a fan.
func (d *Discovery) openRound(dst []Action, now time.Time) []Action {
	verify := d.verify
	d.plan()
	d.verify, d.hint = 0, 0
	d.round = round{
		open: true, number: d.round.number + 1, first: d.counter, count: len(d.sizes),
		started: now, verify: verify, silent: d.round.silent,
	}
	d.round.closeAt = now.Add(d.probeTimeout())
	for _, size := range d.sizes {
		id := uint64(d.generation)<<32 | uint64(d.counter)
		d.probes[d.counter%rememberedProbes] = probe{id: id, size: size, round: d.round.number, sent: now}
		d.counter++
		dst = append(dst, Action{Kind: SendProbe, ID: id, Size: size})
	}
	return dst
}

// probeTimeout is how long a fan may stay without any answer. PROBE_TIMER
// (RFC 8899, 5.1.1) bounds it; acknowledgments make it shorter in a fan.
func (d *Discovery) probeTimeout() time.Duration {
	if d.cfg.Mode == Sequential {
		return d.cfg.ProbeTimer
	}
	return min(d.rtt.timeout()<<min(d.round.silent, 8), d.cfg.ProbeTimer)
}

// find returns the probe of this generation with an id, nil if there is none
// or it is too long ago.
func (d *Discovery) find(id uint64) *probe {
	p := &d.probes[uint32(id)%rememberedProbes]
	if p.id != id || uint32(id>>32) != d.generation || p.sent.IsZero() {
		return nil
	}
	return p
}

// Ack takes in the peer's acknowledgment of a probe; fragmented says that it
// arrived in fragments, and so does not count. Acks that belong to no probe,
// to an earlier generation, or come twice, change nothing.
func (d *Discovery) Ack(id uint64, inFragments bool, now time.Time) {
	p := d.find(id)
	if p == nil || p.outcome != Waiting && p.outcome != Lost || d.state == Disabled {
		return
	}
	d.rtt.sample(now.Sub(p.sent))
	wasLost := p.outcome == Lost
	d.reorders = d.reorders || wasLost
	p.outcome, p.after = Passed, now.Sub(p.sent)
	if inFragments {
		p.outcome, d.clearsDF = Fragmented, true
	}
	current := d.round.open && p.round == d.round.number
	if current {
		d.round.answers++
		d.round.silent = 0
	}
	if !inFragments {
		d.acked(p.size, now)
	}
	// acked may have begun another generation or ended the search
	if !current || !d.round.open {
		return
	}
	switch last := uint32(id) == d.round.first+uint32(d.round.count)-1; {
	case d.allAnswered():
		d.closeRound(now)
	case !last:
		d.round.closeAt = earliest(d.round.closeAt, now.Add(max(d.rtt.smoothed/4, granularity)))
	case !d.reorders:
		d.closeRound(now)
	default:
		d.round.closeAt = earliest(d.round.closeAt, now.Add(d.rtt.smoothed/4))
	}
}

// ProbeFailed says that a probe of Poll was not sent. tooBig says that the
// kernel refused it for its size (EMSGSIZE), which is believed; otherwise the
// probe counts for nothing.
func (d *Discovery) ProbeFailed(id uint64, tooBig bool, now time.Time) {
	p := d.find(id)
	if p == nil || p.outcome != Waiting {
		return
	}
	p.outcome = Unsent
	if tooBig {
		d.LocalTooBig(p.size, now)
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// inRound returns the i-th probe of the fan.
func (d *Discovery) inRound(i int) *probe {
	return &d.probes[(d.round.first+uint32(i))%rememberedProbes]
}

func (d *Discovery) allAnswered() bool {
	for i := range d.round.count {
		if d.inRound(i).outcome == Waiting {
			return false
		}
	}
	return true
}

// closeRound counts what the fan has told.
func (d *Discovery) closeRound(now time.Time) {
	r := &d.round
	r.open = false
	d.nextFan = now
	if d.rtt.smoothed > 0 { // RFC 8899, 3 (7): a fan a round trip
		if t := r.started.Add(d.rtt.smoothed); t.After(now) {
			d.nextFan = t
		}
	}
	heard := r.answers > 0
	small, smallLost, confirmed := 0, 0, false
	for i := range r.count {
		p := d.inRound(i)
		if p.outcome == Passed && p.size >= r.verify {
			confirmed = true
		}
		if p.size <= d.lo && p.outcome != Unsent {
			small++
		}
		failed := p.outcome == Fragmented
		if p.outcome == Waiting {
			p.outcome, failed = Lost, heard || d.cfg.Mode == Sequential
			if p.size <= d.lo {
				smallLost++
			}
		}
		if failed && p.size > d.lo {
			d.addFailure(p.size, 1)
		}
	}
	d.lossy = d.lossy || smallLost > 0
	d.budget(heard, small, smallLost)
	if !heard {
		d.silence(now)
		return
	}
	doubted := d.doubt.size > 0
	if r.verify > 0 {
		d.verified(confirmed, now) // which may raise a doubt, for the next fan to decide
	}
	if doubted {
		d.verdict()
	}
	if d.state == Error && d.lo > 0 && d.lo < d.plpmtu {
		d.setPLPMTU(d.lo, CauseError, now)
		d.reduced()
	}
	d.decide(now)
}

// budget sizes the next fan. It is an initial window (RFC 9002, 7.2); a fan
// that did no harm lets the next have twice the bytes, as slow start would,
// so that jumbo sizes can be searched; one whose small probes were lost too
// halves both.
func (d *Discovery) budget(heard bool, small, smallLost int) {
	if !heard || small > 1 && 2*smallLost >= small {
		d.packets = max(d.packets/2, minFan)
		d.bytes = max(d.bytes/2, fanBytes/2)
		return
	}
	d.packets = min(2*d.packets, fanPackets)
	d.bytes = min(2*d.bytes, fanPackets*d.grid.max)
}

// silence is a fan without any answer: an outage, which is not about size,
// until it lasts.
func (d *Discovery) silence(now time.Time) {
	d.round.silent++
	if d.cfg.Mode == Sequential {
		d.round.silent = 0
		d.decide(now)
		return
	}
	if d.round.silent%d.cfg.MaxProbes != 0 {
		return
	}
	silent := d.round.silent
	if d.state == Base {
		d.transition(baseFailed, now)
	} else {
		d.blackHole(now)
	}
	d.round.silent = silent
}
