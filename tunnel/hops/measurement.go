package hops

import (
	"net/netip"
	"time"
)

const (
	// MaxHops is the highest TTL that is probed, except that of data.
	MaxHops = 32
	// maxProbes bounds the probes of a measurement, and their IDs.
	maxProbes = 400
	// maxLasts is how long a measurement lasts at most.
	maxLasts = 8 * time.Second
	// grace is how long routers may take to answer when the peer has done so: ICMP is
	// made when there is time.
	grace = 100 * time.Millisecond
	// unknownTrip is the round trip while none is known.
	unknownTrip = 250 * time.Millisecond
	// maxWait is how long a fan is waited for at most.
	maxWait = 2 * time.Second
)

// Config is what a Measurement needs to know.
type Config struct {
	// Small is a size that is taken to pass everywhere, and Top the largest to be
	// probed. Sizes are Step apart; Top-Small is a multiple of it.
	Small, Top, Step int
	// Hint is a size that may be the largest that gets to the peer; 0: none is known.
	Hint int
	// RoundTrip is that to the peer; 0: not known.
	RoundTrip time.Duration
}

// A Probe is a packet to be sent.
type Probe struct {
	ID   int // counts from 0
	TTL  int // 0: that of data
	Size int // bytes of the outer IP packet
}

// Kind says what an answer is.
type Kind uint8

const (
	// Expired is a Time Exceeded of a router.
	Expired Kind = iota + 1
	// TooBig is a PTB of a router.
	TooBig
	// Arrived is an ack of the peer.
	Arrived
	// Refused is the host itself: its kernel has not sent the probe, for its size.
	Refused
)

// An Answer is what has become of a probe.
type Answer struct {
	Kind Kind
	By   netip.Addr // the router
	MTU  int        // that a PTB tells, in bytes; 0: it tells none
	// Fragments: the probe has arrived in fragments, which its DF bit forbids.
	Fragments bool
}

// sent is a probe and its first answer.
type sent struct {
	Probe
	fan      int
	at       time.Time
	answer   Answer // Kind 0: none yet
	answered time.Time
}

// A Measurement is under way until Done. It is not safe for concurrent use.
type Measurement struct {
	config  Config
	began   time.Time
	ended   time.Time // zero: it is under way
	probes  []sent
	fan     int       // the number of the last, from 1
	first   int       // its first probe
	fanAt   time.Time // when it was sent
	acked   time.Time // when its last probe was acknowledged; zero: not yet
	later   time.Time // when the next is due, if it is not due when the last is over
	horizon int       // the highest TTL that was probed
	trip    time.Duration

	fragments bool // probes have arrived in fragments
}

// New begins a measurement.
func New(c Config, now time.Time) *Measurement {
	return &Measurement{config: c, began: now, trip: min(c.RoundTrip, maxWait)}
}

// Poll appends the probes that are to be sent now, in this order. It returns none while
// a fan is under way, and when the measurement is over.
func (m *Measurement) Poll(dst []Probe, now time.Time) []Probe {
	if m.Done() || m.fan > 0 && now.Before(m.fanEnds()) {
		return dst
	}
	planned, later := m.plan(now)
	if m.later = later; !later.IsZero() && later.Sub(m.began) < maxLasts {
		return dst
	}
	if len(planned) == 0 || len(m.probes)+len(planned) > maxProbes || now.Sub(m.began) >= maxLasts {
		m.ended = now
		return dst
	}
	m.fan++
	m.first, m.fanAt, m.acked = len(m.probes), now, time.Time{}
	for _, p := range planned {
		p.ID = len(m.probes)
		m.horizon = max(m.horizon, p.TTL)
		m.probes = append(m.probes, sent{Probe: p, fan: m.fan, at: now})
		dst = append(dst, p)
	}
	return dst
}

// Answer takes in what has become of a probe at a time. Only the first answer counts; one
// that comes when its fan is over still does.
func (m *Measurement) Answer(id int, a Answer, at time.Time) {
	if id < 0 || id >= len(m.probes) || m.probes[id].answer.Kind != 0 {
		return
	}
	p := &m.probes[id]
	p.answer, p.answered = a, at
	m.fragments = m.fragments || a.Fragments
	if a.Kind == Arrived {
		m.trip = max(m.trip, min(at.Sub(p.at), maxWait))
	}
	if id == len(m.probes)-1 && a.Kind == Arrived {
		m.acked = at
	}
}

// Sent takes note of when a probe has left, for its round trip.
func (m *Measurement) Sent(id int, at time.Time) { m.probes[id].at = at }

// fanEnds returns when the fan is over.
func (m *Measurement) fanEnds() time.Time {
	if m.complete() {
		return m.fanAt
	}
	if !m.acked.IsZero() {
		return m.acked.Add(max(grace, m.trip/2))
	}
	trip := m.trip
	if trip == 0 {
		trip = unknownTrip
	}
	return m.fanAt.Add(min(2*trip+2*grace, maxWait))
}

// complete reports whether all probes of the fan are answered.
func (m *Measurement) complete() bool {
	for i := range m.probes[m.first:] {
		if m.probes[m.first+i].answer.Kind == 0 {
			return false
		}
	}
	return true
}

// Deadline is when Poll is to be called next; it is also after each Answer.
func (m *Measurement) Deadline() time.Time {
	if m.fan == 0 {
		return m.began
	}
	if ends := m.fanEnds(); ends.After(m.later) {
		return ends
	}
	return m.later
}

// Done reports whether the measurement is over.
func (m *Measurement) Done() bool { return !m.ended.IsZero() }
