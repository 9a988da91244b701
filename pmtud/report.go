package pmtud

import (
	"math"
	"time"
)

const (
	rememberedRequests = 8
	// snapshotSize is how many packets before a request are judged by its
	// report.
	snapshotSize = 512
)

// A request is a report request that was sent, with the sizes of the packets
// before it: on a fast path the SentLog has forgotten them when the report
// comes.
type request struct {
	id       uint64
	sent     time.Time
	answered bool
	top      uint32 // the highest sequence number that had left by then
	count    int
	sizes    [snapshotSize]uint16 // of top, top-1, …; 0: unknown
}

// reports is what report requests and receive reports tell.
type reports struct {
	requests [rememberedRequests]request
	counter  uint32 // requests sent
	pending  int    // the last ones in a row that have no answer
	last     time.Time
	deferred int    // intervals that had too little data for a request
	judged   uint32 // sequence numbers up to this are in loss and tally
	tally    tally
	// unsettled: packets just before the last request may have been overtaken
	// by it, and another request, with data or without, will tell.
	unsettled bool
	settledTo uint32 // what was sent up to here has had an interval to arrive
	checkNext time.Time
	checkWait time.Duration
	loss      float64 // share of packets lost whatever their size
	factor    int     // evidence asked for, multiplied after false alarms
	calm      time.Time
}

func (r *reports) newSA() {
	r.forgetRequests()
	r.requests[r.counter%rememberedRequests].top = 0
	r.judged, r.tally, r.settledTo, r.unsettled = 0, tally{}, 0, false
}

func (r *reports) restart() {
	r.forgetRequests()
	r.loss, r.factor, r.tally = 0, 1, tally{}
}

// forgetRequests expects no answers any more.
func (r *reports) forgetRequests() {
	for i := range r.requests {
		r.requests[i].answered = true
	}
	r.pending = 0
}

// widen asks for more evidence after a false alarm.
func (r *reports) widen() { r.factor = min(2*r.factor, 8) }

// highestSent returns the highest sequence number of the outbound SA.
func (d *Discovery) highestSent() uint32 {
	if d.log == nil {
		return 0
	}
	return d.log.highest.Load()
}

// interval is the time between report requests while data flows.
func (d *Discovery) interval() time.Duration { return max(d.rtt.smoothed/2, requestInterval) }

// requestAt returns when the next request is due, zero while no data flows.
// While nothing is known to pass, the fans ask already. A peer that does not
// answer is asked ever less often.
func (d *Discovery) requestAt() time.Time {
	r := &d.reports
	if d.log == nil || d.state == Base || d.state == Disabled || d.lo == 0 || d.log.armed.Load() && !r.unsettled {
		return time.Time{}
	}
	return r.last.Add(d.interval() * time.Duration(1+r.deferred) << min(r.pending/rememberedRequests, 8))
}

// unasked returns how many bytes of data have left since the last request, as
// far as they may decide about the next, and whether any packet of them is
// above MIN_PLPMTU: smaller ones cannot be lost for their size.
func (d *Discovery) unasked() (bytes int, large bool) {
	last := d.reports.requests[d.reports.counter%rememberedRequests].top
	for seq := d.log.highest.Load(); seq > last && bytes < dataPerRequest; seq-- {
		size := d.log.Size(seq)
		if size == 0 {
			break
		}
		bytes += size
		large = large || size > d.grid.min
	}
	return bytes, large
}

// request appends a report request if one is due.
func (d *Discovery) request(dst []Action, now time.Time) []Action {
	t := d.requestAt()
	if t.IsZero() || now.Before(t) {
		return dst
	}
	r := &d.reports
	if !r.unsettled {
		switch bytes, large := d.unasked(); {
		case bytes >= dataPerRequest:
		case !large:
			d.log.armed.Store(true) // the next packet may make it worth asking
			return dst
		case r.deferred < maxDeferred:
			r.deferred++
			return dst
		}
	}
	r.last, r.deferred, r.unsettled = now, 0, false
	r.counter++
	q := &r.requests[r.counter%rememberedRequests]
	q.id, q.sent, q.answered = uint64(d.generation)<<32|uint64(r.counter), now, false
	q.top = d.log.top()
	q.count = int(min(uint32(snapshotSize), q.top))
	for i := range q.count {
		q.sizes[i] = uint16(d.log.Size(q.top - uint32(i)))
	}
	r.pending++
	d.log.armed.Store(true)
	return append(dst, Action{Kind: SendReportRequest, ID: q.id})
}

// Report takes in a receive report for the current outbound SA: the answer to
// the request id, the highest sequence number the peer has received, and its
// bitmap, where bit i of bits[k] stands for the number highest-64k-i. Work is
// bounded whatever they say.
func (d *Discovery) Report(id uint64, highest uint32, bits []uint64, now time.Time) {
	r := &d.reports
	q := &r.requests[uint32(id)%rememberedRequests]
	if q.id != id || q.answered || d.state == Disabled || d.cfg.Mode == Off {
		return
	}
	q.answered = true
	d.rtt.sample(now.Sub(q.sent))
	r.pending = min(r.pending, int(r.counter-uint32(id)))
	if d.state == Base || q.count == 0 || highest < q.top {
		return // nothing to judge, or the request overtook what it asks about
	}
	if r.factor > 1 && now.After(r.calm) {
		r.factor /= 2
		r.calm = now.Add(time.Minute)
	}
	if d.vanishing(q, highest, bits) {
		r.tally = tally{}
		r.calm = now.Add(time.Minute)
		d.blackHole(now)
	} else if r.tally.count > 0 {
		d.verifyLoss(now)
	}
}

// verifyLoss has the next fan confirm the PLPMTU: large packets were lost, too
// few to tell from chance, and nothing of their size has come after them. A
// flow that has stalled sends no more.
func (d *Discovery) verifyLoss(now time.Time) {
	r := &d.reports
	if !d.mayVerify() || now.Before(r.checkNext) {
		return
	}
	d.verify, d.hint = d.plpmtu, 0
	r.checkWait = min(max(2*r.checkWait, checkInterval), maxCheckInterval)
	r.checkNext = now.Add(r.checkWait)
}

// A tally is what reports have told, one after the other, of the packets that
// did not arrive: a flow that has stalled sends too few large packets for one
// report to be enough.
type tally struct {
	missing   [maxEvidence]int // sizes that no later packet of the size or more has contradicted
	count     int
	arrived   int // packets that have arrived since the first of them
	unrelated int // packets that were lost since, but too small for their size to be why
}

// lost adds a packet that has not arrived.
func (t *tally) lost(size int) {
	if t.count < len(t.missing) {
		t.missing[t.count] = size
		t.count++
	}
}

// passed takes in a packet that has arrived, and returns how many were lost
// before it that it proves were not lost for their size.
func (t *tally) passed(size int) (contradicted int) {
	kept := 0
	for _, s := range t.missing[:t.count] {
		if s > size {
			t.missing[kept] = s
			kept++
		}
	}
	contradicted = t.count - kept
	t.count = kept
	t.arrived++
	if kept == 0 {
		*t = tally{}
	}
	return contradicted
}

// suspicious reports whether the larger packets vanish while smaller ones
// arrive, given how many losses are evidence. What reports say has itself
// arrived as the answer to a small packet.
func (t *tally) suspicious(enough int) bool {
	arrived := t.arrived + 1
	if t.unrelated >= arrived {
		return false // a burst, or an outage
	}
	return t.count >= enough && arrived >= 2 || t.count >= 2*enough || t.count == len(t.missing)
}

// vanishing takes in what a report says of the packets before its request, and
// reports whether the larger ones vanish.
func (d *Discovery) vanishing(q *request, highest uint32, bits []uint64) bool {
	r := &d.reports
	first := max(r.judged, d.epoch, q.top-uint32(q.count)) + 1
	for seq := first; seq <= q.top; seq++ {
		back := int(highest - seq)
		size := int(q.sizes[q.top-seq])
		if back/64 >= len(bits) || size == 0 || size > d.plpmtu {
			r.judged = seq
			continue // not told, forgotten, or a probe
		}
		if bits[back/64]>>(back%64)&1 == 1 {
			r.loss -= r.loss / 64
			for range r.tally.passed(size) {
				r.loss += (1 - r.loss) / 64
			}
		} else if back < reorderPackets && seq > r.settledTo {
			r.unsettled = true // may still come
			break
		} else if size < d.grid.min {
			r.tally.unrelated++
		} else {
			r.tally.lost(size)
		}
		r.judged = seq
	}
	r.settledTo = q.top
	return r.tally.suspicious(r.evidence())
}

// evidence is how many packets must be lost for a suspicion, so that random
// loss as it has been makes few of them.
func (r *reports) evidence() int {
	return min(inARow(r.loss, 1e-5, minEvidence)*r.factor, maxEvidence/2)
}

// inARow returns how many losses in a row are less likely than odds.
func inARow(loss, odds float64, minimum int) int {
	if loss < 0.001 {
		return minimum
	}
	return max(minimum, int(math.Ceil(math.Log(odds)/math.Log(min(loss, 0.9)))))
}

// silenceAt returns when the absence of reports becomes a suspicion: when
// several requests in a row are each SRTT + 4 RTTVAR ago without an answer.
func (d *Discovery) silenceAt() time.Time {
	r := &d.reports
	both := 1 - (1-r.loss)*(1-r.loss) // the request or its report
	need := min(inARow(both, 1e-5, minUnanswered), rememberedRequests-2)
	if d.state == Base || d.lo == 0 || d.plpmtu <= d.grid.min || r.pending < need {
		return time.Time{}
	}
	last := r.counter - uint32(r.pending-need) // of the first ones without an answer
	if r.counter-last >= rememberedRequests {
		last = r.counter - rememberedRequests + 1
	}
	return r.requests[last%rememberedRequests].sent.Add(d.rtt.timeout())
}
