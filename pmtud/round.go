package pmtud

import "time"

// A round is the fan in flight:
//
//	largest … smallest  sentinel             ack of the sentinel: the unanswered
//	 ─▶ ─▶ ─▶ ─▶ ─▶ ─▶    ─▶   ··· 1 RTT ···  ◀─ have failed once, the next fan leaves
//
// The sentinel is of a size that passes if any does. Where answers come out
// of order, the round waits a quarter RTT more. An answer that comes after its
// round still counts, so a hasty conclusion mends itself.
type round struct {
	open    bool
	number  int
	first   uint32    // counter of its first probe
	count   int       // its probes
	started time.Time // when they left
	closeAt time.Time // when it closes at the latest
	excused bool      // closeAt was put off, since this end stood still
	answers int       // probes that were answered, whole or in fragments
	alone   bool      // one probe is all of it
	paired  bool      // it is one of a comparison
	recheck int       // the size that it is to show passing beyond the PLPMTU, 0 if none
	verify  int       // the size to be confirmed, 0 if none
	silent  int       // fans in a row, before this, without any answer
	unheard time.Time // when the first of them left
	nextAt  time.Time // once it is closed: when the next may leave
}

// A result sums up a round. The search has counted its failures already.
type result struct {
	heard       bool // any probe was answered
	confirmed   bool // one of the size to be verified passed
	fitting     int  // probes of sizes known to pass
	fittingLost int  // and how many of them were lost
}

// begin opens the next round: count probes leave now, first is the counter of
// the first.
func (r *round) begin(first uint32, count, verify int, timeout time.Duration, now time.Time) {
	*r = round{
		open: true, number: r.number + 1, first: first, count: count, verify: verify,
		started: now, closeAt: now.Add(timeout), silent: r.silent, unheard: r.unheard,
	}
}

// timeout is how long the next fan may stay without any answer. PROBE_TIMER
// (RFC 8899, 5.1.1) bounds it; a known round trip makes it shorter in a fan.
func (r *round) timeout(cfg Config, rtt rtt) time.Duration {
	if cfg.Mode == Sequential {
		return cfg.ProbeTimer
	}
	return min(rtt.timeout()<<min(r.silent, 8), cfg.ProbeTimer)
}

// hear takes in that a probe was answered, and reports whether it is one of this
// round.
func (r *round) hear(p *probe) bool {
	if !r.open || p.Fan != r.number {
		return false
	}
	r.answers++
	r.silent = 0
	return true
}

// over reports whether the round ends with the answer to the probe that has the
// given counter. If not, the answer may bring closeAt forward.
func (r *round) over(sent *probes, counter uint32, srtt time.Duration, reorders bool, now time.Time) bool {
	last := counter == r.first+uint32(r.count)-1
	switch {
	case r.allAnswered(sent) || last && !reorders:
		return true
	case last:
		r.closeAt = earliest(r.closeAt, now.Add(srtt/4))
	default:
		r.closeAt = earliest(r.closeAt, now.Add(max(srtt/4, granularity)))
	}
	return false
}

func (r *round) allAnswered(sent *probes) bool {
	for i := range r.count {
		if sent.number(r.first+uint32(i)).Outcome == Waiting {
			return false
		}
	}
	return true
}

// close ends the round: its unanswered probes are lost, and have failed if
// others were answered. In the sequential mode there are no others.
func (r *round) close(sent *probes, s *search, srtt time.Duration, now time.Time) result {
	r.open, r.nextAt = false, now
	if at := r.started.Add(srtt); srtt > 0 && at.After(now) { // RFC 8899, 3 (7): a fan a round trip
		r.nextAt = at
	}
	told := result{heard: r.answers > 0}
	for i := range r.count {
		p := sent.number(r.first + uint32(i))
		lost := p.Outcome == Waiting || p.Outcome == Refused
		if p.Outcome == Waiting {
			p.Outcome = Lost
		} else if lost {
			r.nextAt = latest(r.nextAt, r.started.Add(refusedPause))
		}
		told.confirmed = told.confirmed || p.Outcome == Passed && p.Size >= r.verify
		if p.Size <= s.lo && p.Outcome != Unsent {
			told.fitting++
			if lost {
				told.fittingLost++
			}
		}
		if p.Outcome == Fragmented || lost && (told.heard || s.mode == Sequential) {
			s.failed(p.Size)
		}
	}
	s.lossy = s.lossy || told.fittingLost > 0
	return told
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
