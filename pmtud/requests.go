package pmtud

import "time"

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
	sizes    [snapshotSize]uint16 // of top, top-1, …; 0: unknown, or sent by another path
	control  [snapshotSize]bool   // whether they are control messages
}

// requests decides when to ask the peer for a report, and remembers the last
// requests.
type requests struct {
	path uint16   // whose packets are asked about
	log  *SentLog // of the outbound SA; nil: none yet, or the path stands by
	// sent has rememberedRequests entries once there was much to ask about on the SA.
	sent     []request
	asked    uint32 // sequence numbers up to this need no other request
	looked   uint32 // up to this it is known how much was sent: see busy
	counter  uint32 // requests sent
	pending  int    // the last ones in a row that have no answer
	last     time.Time
	deferred int // intervals that had too little data for a request
	// unsettled: the last request may have overtaken packets just before it.
	// Another request, with data or without, will tell.
	unsettled bool
	// excused is when this end went on after it had stood still, zero if it has not since
	// the last answer: none is missing that was due before.
	excused time.Time
}

// newSA begins to ask about the packets of another SA.
func (r *requests) newSA(log *SentLog) {
	r.sent = nil // as all of them are of another SA
	r.forget()
	r.log, r.asked, r.looked, r.unsettled = log, 0, 0, false
	log.armed.Store(true)
}

// takeOver goes on in the place of another path's requests. It asks about what is
// sent from now on.
func (r *requests) takeOver(other *requests) {
	path := r.path
	*r, *other = *other, requests{path: other.path}
	r.path = path
	if r.log != nil {
		r.newSA(r.log)
		r.deferred, r.asked = 0, r.highestSent()
	}
}

// forget gives up all requests that are still unanswered.
func (r *requests) forget() {
	for i := range r.sent {
		r.sent[i].answered = true
	}
	r.pending, r.excused = 0, time.Time{}
}

func (r *requests) latest() *request { return &r.sent[r.counter%rememberedRequests] }

// busyPackets is how many packets between two looks at the log are too many for a small
// one: a report may be lost, and a PTB about them may take a round trip, which is two looks.
const busyPackets = restingLogSize / 4

// busy reports whether so much data has left since the last look that a small log is too
// small: many packets, or large ones one after the other. Probes are no data.
func (r *requests) busy(minPLPMTU int) bool {
	highest := r.log.highest.Load()
	since := max(r.looked, highest-min(highest, restingLogSize))
	packets, large := 0, 0
	for seq := highest; seq > since; seq-- {
		size, path := r.log.Sent(seq)
		if size == 0 || path != r.path || r.log.control(seq) {
			continue
		}
		packets++
		if size > minPLPMTU {
			large += size
		}
	}
	return packets > busyPackets || large >= dataPerRequest
}

// grow enlarges a small log when that is busy. If it is not, a burst must not wait for the
// next request, which may be half a round trip away: of a fast one the log would have
// forgotten nearly all by then, and no PTB about it could be proved. So the log wakes us.
func (r *requests) grow(minPLPMTU int) {
	switch {
	case r.log == nil || r.log.large.Load() != nil:
	case r.busy(minPLPMTU):
		r.log.enlarge()
	case !r.log.tight.Load():
		r.log.tight.Store(true)
	}
}

// highestSent returns the highest sequence number of the outbound SA.
func (r *requests) highestSent() uint32 {
	if r.log == nil {
		return 0
	}
	return r.log.highest.Load()
}

// dueAt returns when the next request is due, zero while no data flows. A peer
// that does not answer is asked ever less often.
func (r *requests) dueAt(srtt time.Duration) time.Time {
	if r.log == nil || r.log.armed.Load() && !r.unsettled {
		return time.Time{}
	}
	interval := max(srtt/2, requestInterval)
	return r.last.Add(interval * time.Duration(1+r.deferred) << min(r.pending/rememberedRequests, 8))
}

// unasked returns how many bytes of data have left since the last request,
// counted up to dataPerRequest, and whether any of these packets is above
// MIN_PLPMTU: smaller ones cannot be lost for their size.
func (r *requests) unasked(minPLPMTU int) (bytes int, large bool) {
	for seq := r.log.highest.Load(); seq > r.asked && bytes < dataPerRequest; seq-- {
		size, path := r.log.Sent(seq)
		if size == 0 {
			break
		}
		if path == r.path {
			bytes += size
			large = large || size > minPLPMTU
		}
	}
	return bytes, large
}

// ask appends the request that is due, unless there is too little data to ask
// about. The id gets the given generation.
func (r *requests) ask(dst []Action, generation uint32, minPLPMTU int, now time.Time) []Action {
	r.grow(minPLPMTU)
	r.looked = r.log.highest.Load()
	if !r.unsettled {
		switch bytes, large := r.unasked(minPLPMTU); {
		case bytes >= dataPerRequest:
		case !large:
			r.log.armed.Store(true) // the next packet may make it worth asking
			return dst
		case r.deferred < maxDeferred:
			r.deferred++
			return dst
		}
	}
	r.last, r.deferred, r.unsettled = now, 0, false
	r.counter++
	r.pending++
	if r.sent == nil {
		r.sent = make([]request, rememberedRequests)
		for i := range r.sent {
			r.sent[i].answered = true // none was asked
		}
	}
	q := r.latest()
	q.id, q.sent, q.answered = uint64(generation)<<32|uint64(r.counter), now, false
	q.top = r.log.top()
	r.asked = q.top
	q.count = int(min(uint32(snapshotSize), q.top))
	for i := range q.count {
		size, path := r.log.Sent(q.top - uint32(i))
		if path != r.path {
			size = 0
		}
		q.sizes[i], q.control[i] = uint16(size), r.log.control(q.top-uint32(i))
	}
	r.log.armed.Store(true)
	return append(dst, Action{Kind: SendReportRequest, ID: q.id})
}

// answer returns the request that a report answers, nil if it is unknown or
// answered already.
func (r *requests) answer(id uint64) *request {
	if r.sent == nil {
		return nil
	}
	q := &r.sent[uint32(id)%rememberedRequests]
	if q.id != id || q.answered {
		return nil
	}
	q.answered, r.excused = true, time.Time{}
	r.pending = min(r.pending, int(r.counter-uint32(id)))
	return q
}

// silentAt returns when the absence of reports becomes a suspicion: when several
// requests in a row have each waited a timeout for an answer. It is zero if they
// are too few, given the share of packets lost.
func (r *requests) silentAt(loss float64, timeout time.Duration) time.Time {
	both := 1 - (1-loss)*(1-loss) // the request or its report
	need := min(inARow(both, 1e-5, minUnanswered), rememberedRequests-2)
	if r.pending < need {
		return time.Time{}
	}
	last := r.counter - uint32(r.pending-need) // of the first ones without an answer
	if r.counter-last >= rememberedRequests {
		last = r.counter - rememberedRequests + 1
	}
	return latest(r.sent[last%rememberedRequests].sent, r.excused).Add(timeout)
}

// Unanswered returns how many of the last report requests in a row have no report, and
// when the first of them left, as far as that is remembered.
func (d *Discovery) Unanswered() (requests int, since time.Time) {
	r := &d.requests
	if r.pending == 0 {
		return 0, time.Time{}
	}
	first := r.counter - uint32(min(r.pending, rememberedRequests)-1)
	return r.pending, r.sent[first%rememberedRequests].sent
}
