package hops

import (
	"net/netip"
	"slices"
	"time"
)

// enough is how many lost probes prove that a size does not get to a hop, each of them
// in a fan in which the hop has answered a smaller one.
const enough = 3

// hop is what is known of one: a router, or the peer.
type hop struct {
	index int // its TTL; of the peer where its TTL is not known, the one after the horizon
	peer  bool
	addr  netip.Addr
	trip  time.Duration // the shortest; 0: not known
	told  int           // the MTU that its last PTB has told
	tells bool          // it has sent a PTB
	own   int           // the largest size that it has answered; 0: it has answered nothing
	size  int           // the largest known to get there: that, or what gets to a later one
}

// view is what all answers say together.
type view struct {
	hops []hop // by index, from 0, which is this host, to the last that was probed, or the peer
	// length is the index of the peer; known: a probe of this TTL has arrived.
	length  int
	known   bool
	reached bool // the peer has answered
}

// look draws the view from the answers.
func (m *Measurement) look() *view {
	v := &view{length: m.horizon + 1}
	for i := range m.probes {
		p := &m.probes[i]
		if p.answer.Kind != Arrived {
			continue
		}
		v.reached = true
		if p.TTL > 0 {
			v.length, v.known = min(v.length, p.TTL), true
		}
	}
	last := m.horizon
	if v.reached {
		last = v.length
	}
	v.hops = make([]hop, last+1)
	for i := range v.hops {
		v.hops[i].index = i
	}
	v.hops[0].own = m.config.Top
	if v.reached {
		v.hops[last].peer = true
	}
	for i := range m.probes {
		v.take(&m.probes[i])
	}
	v.locate(m.probes)
	size := 0
	for i := range slices.Backward(v.hops) {
		size = max(size, v.hops[i].own)
		v.hops[i].size = size
	}
	return v
}

// at returns the hop at which a probe ends.
func (v *view) at(p *sent) int {
	if p.TTL == 0 || v.known && p.TTL > v.length {
		return v.length
	}
	return p.TTL
}

// take notes a Time Exceeded and an ack.
func (v *view) take(p *sent) {
	at := v.at(p)
	if at >= len(v.hops) || p.answer.Kind != Expired && p.answer.Kind != Arrived {
		return
	}
	h := &v.hops[at]
	if h.peer != (p.answer.Kind == Arrived) {
		return // the route has changed meanwhile
	}
	h.own = max(h.own, p.Size)
	if trip := p.answered.Sub(p.at); h.trip == 0 || trip < h.trip {
		h.trip = max(trip, 1)
	}
	if p.answer.Kind == Expired {
		h.addr = p.answer.By
	}
}

// locate finds the routers that have sent PTBs. One that is known by its address is
// there. Another is the hop before the least TTL that it has refused, if that hop was
// tried: it has let the size through, or does not answer at all.
func (v *view) locate(probes []sent) {
	for i := range probes {
		p := &probes[i]
		if p.answer.Kind != TooBig {
			continue
		}
		at := slices.IndexFunc(v.hops[:min(v.at(p), len(v.hops))], func(h hop) bool { return h.trip > 0 && h.addr == p.answer.By })
		if at < 0 {
			at = v.before(p.answer.By, probes)
		}
		if at < 0 || at >= len(v.hops) {
			continue
		}
		h := &v.hops[at]
		h.own, h.tells, h.told = max(h.own, p.Size), true, p.answer.MTU
		if at > 0 && !h.addr.IsValid() {
			h.addr = p.answer.By
		}
	}
}

// before returns the hop before the least TTL that a router has refused, -1 if that hop
// may be another: no probe of a size that gets to the router, and that it refuses, has
// ended there.
func (v *view) before(router netip.Addr, probes []sent) int {
	at, least, greatest := len(v.hops), 0, 0
	for i := range probes {
		if p := &probes[i]; p.answer.Kind == TooBig && p.answer.By == router {
			at, greatest = min(at, v.at(p)-1), max(greatest, p.Size)
			if least == 0 || p.Size < least {
				least = p.Size
			}
		}
	}
	if at == 0 {
		return 0
	}
	for i := range probes {
		p := &probes[i]
		if at < len(v.hops) && v.at(p) == at && p.Size >= least && p.Size <= greatest && (p.answer.Kind == Expired || v.hops[at].trip == 0) {
			return at
		}
	}
	return -1
}

// next returns the first hop behind another that has answered as the one where a probe
// has ended; not ok: there is none. What gets to a router that sends PTBs alone cannot be
// searched for.
func (v *view) next(after int) (at int, ok bool) {
	for at = after + 1; at < len(v.hops); at++ {
		if v.hops[at].trip > 0 {
			return at, true
		}
	}
	return 0, false
}

// tries returns in how many fans a size was sent to a hop, and in how many of them it was
// lost for its size. A PTB, or a refusal of the host, is proof enough.
func (m *Measurement) tries(v *view, at, size int) (tries, lost int) {
	tried, missed := 0, 0 // the last fans that count
	for i := range m.probes {
		p := &m.probes[i]
		if p.Size != size || v.at(p) != at {
			continue
		}
		if tried != p.fan {
			tries, tried = tries+1, p.fan
		}
		switch {
		case p.answer.Kind == TooBig || p.answer.Kind == Refused:
			lost += enough
		case p.answer.Kind == 0 && missed != p.fan && m.controlled(v, p, at):
			lost, missed = lost+1, p.fan
		}
	}
	return tries, lost
}

// asked returns in how many fans a hop was asked with the small size, and when it was last.
func (m *Measurement) asked(v *view, at int) (tries int, last time.Time) {
	fan := 0
	for i := range m.probes {
		if p := &m.probes[i]; p.Size == m.config.Small && v.at(p) == at && p.fan != fan {
			tries, fan, last = tries+1, p.fan, p.at
		}
	}
	return tries, last
}

// controlled reports whether the hop has answered a smaller probe that left after p in
// the same fan.
func (m *Measurement) controlled(v *view, p *sent, at int) bool {
	for i := p.ID + 1; i < len(m.probes) && m.probes[i].fan == p.fan; i++ {
		c := &m.probes[i]
		if c.Size < p.Size && v.at(c) == at && (c.answer.Kind == Expired || c.answer.Kind == Arrived) {
			return true
		}
	}
	return false
}

// failed returns the least size above another that was lost at a hop at least so often;
// 0: none.
func (m *Measurement) failed(v *view, at, above, times int) int {
	least := 0
	for i := range m.probes {
		if p := &m.probes[i]; p.Size > above && v.at(p) == at && (least == 0 || p.Size < least) {
			if _, lost := m.tries(v, at, p.Size); lost >= times {
				least = p.Size
			}
		}
	}
	return least
}
