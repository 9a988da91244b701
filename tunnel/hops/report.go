package hops

import (
	"net/netip"
	"time"
)

// A Report is the result of a measurement.
type Report struct {
	// Hops are this host, the routers by their TTL, and last the peer if it was reached.
	Hops []Hop
	// Reached: the peer has answered.
	Reached bool
	// ClearsDF: probes have arrived in fragments. The sizes then say nothing.
	ClearsDF bool
	// Complete: all that routers answer is known; not so if time or probes ran out.
	Complete bool
	// Fans and Probes are how many were sent.
	Fans, Probes int
	Took         time.Duration
}

// A Hop is a router, or an end of the path.
type Hop struct {
	Peer bool
	// Far: it is the peer, and farther than MaxHops.
	Far bool
	// Addr is where its answers come from; invalid: it is an end, or has never answered.
	Addr netip.Addr
	// RoundTrip is the shortest that was seen; 0: no probe is known to have ended there.
	RoundTrip time.Duration
	// Size is the largest that got there, Fails the least above it that did not, which
	// is proved; 0: none is known.
	Size, Fails int
	// Tells: it has sent a PTB. Told is the MTU in the last one; 0: it told none.
	Tells bool
	Told  int
}

// Silent reports whether nothing is known of a hop but that it is there.
func (r *Report) Silent(i int) bool { return i > 0 && !r.Hops[i].Peer && !r.Hops[i].Addr.IsValid() }

// Report returns what is known.
func (m *Measurement) Report() *Report {
	v := m.look()
	complete := false
	if m.Done() {
		next, later := m.plan(m.ended)
		complete = len(next) == 0 && later.IsZero()
	}
	r := &Report{Reached: v.reached, ClearsDF: m.fragments, Complete: complete, Fans: m.fan, Probes: len(m.probes), Took: m.ended.Sub(m.began)}
	last := 0
	for i := range v.hops {
		if v.hops[i].own > 0 {
			last = i
		}
	}
	for i := range v.hops[:last+1] {
		h := &v.hops[i]
		out := Hop{Peer: h.peer, Far: h.peer && !v.known, Addr: h.addr, RoundTrip: h.trip, Size: h.size, Tells: h.tells, Told: h.told, Fails: m.failed(v, i, h.size, enough)}
		r.Hops = append(r.Hops, out)
		if r.Silent(i) {
			r.Hops[i].Size, r.Hops[i].Fails = 0, 0 // what is known is another's
		}
	}
	return r
}

// A Place is where packets of some sizes vanish: between two hops that have answered.
type Place struct {
	// After and Before are the hops, as indices of Report.Hops. Before is -1 if nothing at
	// all has come back from behind After.
	After, Before int
	// Passes is the largest size that gets past, Fails the least that was proved not to;
	// 0: none was.
	Passes, Fails int
}

// Places returns all of them, in the order of the path.
func (r *Report) Places() (list []Place) {
	after := 0
	for i := range r.Hops {
		h := &r.Hops[i]
		if i == 0 || r.Silent(i) {
			continue
		}
		if h.RoundTrip == 0 { // it sends PTBs alone: what gets there is not exact
			if h.Size >= r.Hops[after].Size {
				after = i
			}
			continue
		}
		if h.Size < r.Hops[after].Size {
			list = append(list, Place{After: after, Before: i, Passes: h.Size, Fails: h.Fails})
		}
		after = i
	}
	if !r.Reached {
		list = append(list, Place{After: after, Before: -1})
	}
	return list
}
