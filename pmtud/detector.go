package pmtud

import "time"

// A detector tells from receive reports whether the path is a black hole for
// large packets, and how many packets it loses whatever their size.
type detector struct {
	epoch   uint32 // sequence numbers up to this say nothing of the present PLPMTU
	judged  uint32 // sequence numbers up to this are in loss and tally
	settled uint32 // sequence numbers up to this have had an interval to arrive
	tally   tally
	sizes   deliveries
	loss    float64   // share of packets lost for reasons other than size
	factor  int       // multiplies the evidence asked for, after false alarms
	calm    time.Time // when factor may halve
	verify  backoff   // between fans for too little evidence
}

func newDetector() detector {
	return detector{factor: 1, verify: backoff{first: checkInterval, limit: maxCheckInterval}}
}

// forget drops all knowledge of the path.
func (v *detector) forget() { v.loss, v.factor, v.tally, v.sizes = 0, 1, tally{}, deliveries{} }

// newSA begins a new sequence of numbers.
func (v *detector) newSA() { v.epoch, v.judged, v.settled, v.tally = 0, 0, 0, tally{} }

// newPLPMTU drops the evidence about the former PLPMTU, under which the packets
// up to the number highest were sent.
func (v *detector) newPLPMTU(highest uint32) { v.epoch, v.tally = highest, tally{} }

// widen asks for more evidence after a false alarm.
func (v *detector) widen() { v.factor = min(2*v.factor, 8) }

// relax asks for less evidence the longer there was no alarm.
func (v *detector) relax(now time.Time) {
	if v.factor > 1 && now.After(v.calm) {
		v.factor /= 2
		v.calm = now.Add(time.Minute)
	}
}

// alarm begins the evidence anew, after a suspicion.
func (v *detector) alarm(now time.Time) {
	v.tally = tally{}
	v.calm = now.Add(time.Minute)
}

// A bitmap says which packets the peer has received: bit i of bits[k] stands for
// the number highest-64k-i.
type bitmap struct {
	highest uint32
	bits    []uint64
}

// has reports whether the packet numbered seq, up to highest, has arrived, and
// whether the bitmap says anything of it.
func (b bitmap) has(seq uint32) (arrived, told bool) {
	back := b.highest - seq
	if uint64(back/64) >= uint64(len(b.bits)) {
		return false, false
	}
	return b.bits[back/64]>>(back%64)&1 == 1, true
}

// learn takes in a report on the packets before its request. It returns whether
// the last of them may still be on their way, so that another report is needed.
func (v *detector) learn(q *request, received bitmap, minPLPMTU, plpmtu int) (unsettled bool) {
	for seq := max(v.judged, v.epoch, q.top-uint32(q.count)) + 1; seq <= q.top; seq++ {
		size, control := int(q.sizes[q.top-seq]), q.control[q.top-seq]
		switch arrived, told := received.has(seq); {
		case !told || size == 0 || size > plpmtu:
			// The report ends before it, its size is forgotten, or it is a probe.
		case arrived:
			v.sizes.count(size, control, true)
			v.loss -= v.loss / 64
			for range v.tally.passed(size) {
				v.loss += (1 - v.loss) / 64
			}
		case received.highest-seq < reorderPackets && seq > v.settled:
			v.settled = q.top
			return true
		case size < minPLPMTU:
			v.sizes.count(size, control, false)
			v.tally.unrelated++
		default:
			v.sizes.count(size, control, false)
			v.tally.lost(size)
		}
		v.judged = seq
	}
	v.settled = q.top
	return false
}

// suspicious reports whether the larger packets vanish. The evidence asked for
// grows with random loss, which would else raise many suspicions.
func (v *detector) suspicious() bool {
	return v.tally.suspicious(v.evidence())
}

// evidence is how many packets lost in a row are no chance.
func (v *detector) evidence() int {
	return min(inARow(v.loss, 1e-5, minEvidence)*v.factor, maxEvidence/2)
}
