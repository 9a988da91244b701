package pmtud

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// A model is a path and the peer at its end, in virtual time: run executes the
// events that are due.
type model struct {
	d   *Discovery
	rng *rand.Rand
	now time.Time

	// the path
	mtu       int
	delay     time.Duration // one way
	loss      float64       // of any packet, either way
	reorder   float64       // share of packets that are late
	lateness  time.Duration // at most
	ptb       bool          // routers answer with PTBs
	ptbOffset int           // and lie by this many bytes
	ptbDelay  time.Duration
	clearsDF  bool
	silent    bool // the peer answers nothing
	down      bool // nothing passes
	odd       oddities

	// the traffic
	data     time.Duration // between data packets, 0: none
	nextData time.Time
	burst    int // data packets simulated between two requests, at most
	small    float64

	*simSA
	tooLong int // data packets that were lost for their size

	events  events
	order   int
	trouble string // the first invariant that broke

	// counters
	fans, probes, probeBytes, requests, polls int
	refused, changes                          int
	lastFan                                   time.Time
	lastGen                                   uint32
	trace                                     func(format string, args ...any)
	actions                                   []Action
}

// A simSA is what is sent on one SA, by whatever path.
type simSA struct {
	log     *SentLog
	seq     uint32
	arrival [1 << 10]struct {
		seq uint32
		at  time.Time
	}
}

type simEvent struct {
	at    time.Time
	order int
	do    func()
}

type events []simEvent

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(simEvent)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

var epochStart = time.Unix(1_700_000_000, 0)

func newModel(cfg Config, rng *rand.Rand) *model {
	m := &model{d: New(cfg), rng: rng, now: epochStart, burst: 64, small: 0.2}
	m.newSA()
	return m
}

func (m *model) newSA() {
	m.simSA = &simSA{log: new(SentLog)}
	m.d.NewSA(m.log)
}

func (m *model) after(d time.Duration, do func()) {
	m.order++
	heap.Push(&m.events, simEvent{m.now.Add(d), m.order, do})
}

// rtt is the path's round trip without lateness.
func (m *model) rtt() time.Duration { return 2 * m.delay }

func (m *model) lostByChance() bool { return m.down || m.loss > 0 && m.rng.Float64() < m.loss }

func (m *model) oneWay() time.Duration {
	if m.reorder > 0 && m.rng.Float64() < m.reorder {
		return m.delay + time.Duration(m.rng.Float64()*float64(m.lateness))
	}
	return m.delay
}

// send puts a packet of the tunnel on the path and returns when it arrives, if
// it does, and whether in fragments.
func (m *model) send(size int, data bool) (at time.Time, arrives, fragmented, wake bool) {
	m.seq++
	wake = m.log.Record(m.seq, size, m.d.cfg.Path, data)
	slot := &m.arrival[m.seq%uint32(len(m.arrival))]
	slot.seq, slot.at = m.seq, time.Time{}
	if m.odd.refuses(size) {
		m.refused++
		return at, false, false, wake
	}
	mtu := m.odd.link(m.mtu, m.rng)
	if m.odd.drops(size, data, m.rng) {
		return at, false, false, wake
	}
	if size > mtu {
		if !m.clearsDF {
			if data {
				m.tooLong++
			}
			if m.ptb && !m.lostByChance() {
				mtu, seq := mtu+m.ptbOffset, m.seq
				if m.ptbDelay > 0 || !data || m.rng.IntN(8) == 0 {
					m.after(m.rtt()/2+m.ptbDelay, func() {
						m.d.PTB(PTB{MTU: mtu, Validated: m.log.Size(seq) > 0, Size: m.log.Size(seq), Sequence: seq}, m.now)
					})
				}
			}
			return at, false, false, wake
		}
		fragmented = true
	}
	if m.lostByChance() {
		return at, false, false, wake
	}
	queued, ok := m.odd.queue(size, m.now)
	if !ok {
		return at, false, false, wake
	}
	slot.at = m.now.Add(queued + m.oneWay())
	return slot.at, true, fragmented, wake
}

// flow sends the data packets that have become due; it returns whether the
// machine must be polled.
func (m *model) flow() (wake bool) {
	if m.data == 0 || m.nextData.After(m.now) {
		return false
	}
	due := int(m.now.Sub(m.nextData)/m.data) + 1
	n := min(due, m.burst)
	m.odd.noRoom = m.odd.whole && !m.odd.room(n*m.d.PLPMTU(), m.now)
	for range n {
		size := m.d.PLPMTU()
		if m.rng.Float64() < m.small {
			size = 100 + 4*m.rng.IntN(50)
		}
		_, _, _, w := m.send(size, true)
		wake = wake || w
	}
	m.odd.noRoom = false
	m.nextData = m.nextData.Add(m.data * time.Duration(due))
	return wake
}

// poll acts on the actions as a tunnel would.
func (m *model) poll() {
	m.polls++
	m.actions = m.d.Poll(m.actions[:0], m.now)
	fan, bytes := 0, 0
	for _, a := range m.actions {
		switch a.Kind {
		case SendProbe:
			fan++
			bytes += a.Size
			if a.Size > m.d.search.grid.max || a.Size < m.d.search.grid.min || a.Size%4 != 0 {
				m.fail("a probe of a size that may not be")
			}
			if m.odd.refuses(a.Size) {
				m.d.ProbeRefused(a.ID)
			}
			if at, ok, frag, _ := m.send(a.Size, false); ok && !m.silent {
				id := a.ID
				m.after(at.Sub(m.now), func() {
					if m.lostByChance() {
						return
					}
					m.after(m.oneWay(), func() { m.d.Ack(id, frag, m.now) })
				})
			}
		case SendReportRequest:
			m.requests++
			if at, ok, _, _ := m.send(100, false); ok && !m.silent {
				id := a.ID
				m.after(at.Sub(m.now), func() { m.report(id) })
			}
		}
	}
	if fan > 0 {
		m.fans++
		m.probes += fan
		m.probeBytes += bytes
		copies := m.d.copies
		limit := max(fanBytes, 2*copies*m.d.search.grid.max) + copies*m.d.search.grid.base
		if m.d.search.grid.max > 1500 { // slow start, and at least two packets
			limit = max(m.d.budget.bytes, 2*copies*m.d.search.grid.max) + 4*copies*m.d.search.grid.base
		}
		least := minFan
		if m.d.round.paired {
			least = 2*minCopies + 1
		}
		if copies*fan > max(fanPackets, least*copies) || copies*bytes > limit {
			m.fail("a fan beyond its budget")
		}
		if m.d.probes.generation == m.lastGen && m.now.Sub(m.lastFan) < m.rtt()*9/10 && m.d.rtt.smoothed > 0 {
			m.fail("two fans within a round trip")
		}
		m.lastFan, m.lastGen = m.now, m.d.probes.generation
		if m.trace != nil {
			m.trace("%8.1f ms  fan %v", ms(m.now.Sub(epochStart)), m.d.sizes)
		}
	}
}

// report has the peer answer a request with the packets that have arrived by now.
func (m *model) report(id uint64) {
	var highest uint32
	for s := m.seq; s > 0 && s+uint32(len(m.arrival)) > m.seq; s-- {
		if a := m.arrival[s%uint32(len(m.arrival))]; a.seq == s && !a.at.IsZero() && !a.at.After(m.now) {
			highest = s
			break
		}
	}
	var bits [16]uint64
	for i := uint32(0); i < highest && i < 64*uint32(len(bits)); i++ {
		s := highest - i
		if a := m.arrival[s%uint32(len(m.arrival))]; a.seq == s && !a.at.IsZero() && !a.at.After(m.now) {
			bits[i/64] |= 1 << (i % 64)
		}
	}
	if m.lostByChance() {
		return
	}
	log := m.log
	m.after(m.oneWay(), func() {
		if log == m.log {
			m.d.Report(id, highest, bits[:], m.now)
		}
	})
}

// run lets the path live until the condition holds or the time is up, and
// returns whether it does.
func (m *model) run(limit time.Duration, until func() bool) bool {
	end := m.now.Add(limit)
	for {
		if until != nil && until() {
			return true
		}
		if m.trouble != "" {
			return false
		}
		next, what := end, 0
		if len(m.events) > 0 && m.events[0].at.Before(next) {
			next, what = m.events[0].at, 1
		}
		if t := m.d.Deadline(); !t.IsZero() && t.Before(next) {
			next, what = t, 2
			if t.Before(m.now) {
				next = m.now
			}
		}
		if m.data > 0 && m.log.armed.Load() && m.nextData.Before(next) {
			next, what = m.nextData, 3
		}
		if next.After(m.now) {
			m.now = next
			m.polls = 0
		}
		if m.polls > 20 {
			m.fail("Poll leaves a deadline in the past")
		}
		before, state := m.d.PLPMTU(), m.d.State()
		switch what {
		case 0:
			return until != nil && until()
		case 1:
			heap.Pop(&m.events).(simEvent).do()
		case 2:
			m.flow()
			m.poll()
		case 3:
			if m.flow() {
				m.poll()
			}
		}
		if after := m.d.PLPMTU(); after != before {
			m.changes++
			if after < m.d.search.grid.min || after > m.d.search.grid.max || after%4 != 0 {
				m.fail("a PLPMTU that may not be")
			}
		}
		if m.trace != nil && (m.d.PLPMTU() != before || m.d.State() != state) {
			m.trace("%8.1f ms  %v %d -> %v %d", ms(m.now.Sub(epochStart)), state, before, m.d.State(), m.d.PLPMTU())
		}
	}
}

func (m *model) fail(what string) {
	if m.trouble == "" {
		m.trouble = what
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// exact is the largest size that passes.
func (m *model) exact() int { return m.d.search.grid.floor(min(m.mtu, m.d.search.grid.max)) }

// suspects reports whether the PLPMTU is that of a suspicion.
func (d *Discovery) suspects() bool { return d.suspended.plpmtu > d.plpmtu }
