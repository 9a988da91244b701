package tunnel

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"fathom/esp"
	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/hops"
	"fathom/tunnel/paths"
	"fathom/tunnel/udp"
)

// This file connects package hops, which decides, with the network. A probe is a
// control.Probe, on the SA and the path in use, and leaves as data does. Routers quote its
// SPI and sequence number, and the peer acknowledges its token. Its size is recorded for
// no path: neither its loss nor a PTB about it says anything to a discovery.

// hopToken is the token of such a probe, above the number of the run and the probe's ID.
// No discovery and no `fathom probe` has it: their numbers are below.
const hopToken = probeRunToken | maxPathNumber<<pmtud.IDBits

// hopTokenRuns are the runs that a token tells apart.
const (
	hopRunShift  = 32
	hopTokenRuns = 1 << (pmtud.IDBits - hopRunShift)
)

// The sizes that are probed, in bytes of the outer IP packet.
const (
	smallHopProbe = 128
	// maxHopProbe is the largest, however large packets the host can send: a jumbo frame.
	maxHopProbe = 9216
)

// hopRun is a measurement of the hops to a peer that is under way. Owned by the control
// goroutine.
type hopRun struct {
	*hops.Measurement
	token   uint64
	pair    paths.Pair // by which it is sent
	sent    []hopSent  // by the ID of the probe
	waiting []*hopWait
	probes  []hops.Probe // scratch
	caught  []caught     // scratch
}

// hopSent is what a router quotes of a probe.
type hopSent struct{ spi, seq uint32 }

// hopWait is somebody who waits for the result: told is called once, by the control
// goroutine.
type hopWait struct {
	told func(r *hops.Report, err error)
}

var (
	errHopsMoved = errors.New("the path to the peer has changed meanwhile")
	errHopsEnded = errors.New("the peer has gone meanwhile")
)

// measureHops begins a measurement for somebody, or has him wait for the one that is
// under way.
func (p *peer) measureHops(who *hopWait, now time.Time) error {
	if p.hopRun != nil {
		p.hopRun.waiting = append(p.hopRun.waiting, who)
		return nil
	}
	path := p.path
	if path == nil || !p.probes() || p.looped() {
		return fmt.Errorf("peer %s is not established", p.name)
	}
	trip, _ := p.discovery.RTT()
	v6 := path.IPv6()
	p.hopRuns++
	p.hopRun = &hopRun{
		Measurement: hops.New(hops.Config{
			Small: esp.ExactOuterSize(v6, smallHopProbe), Top: esp.ExactOuterSize(v6, min(path.egress, maxHopProbe)), Step: esp.SizeStep,
			Hint: esp.ExactOuterSize(v6, p.discovery.PLPMTU()), RoundTrip: trip,
		}, now),
		token: hopToken | p.hopRuns%hopTokenRuns<<hopRunShift, pair: path.pair, waiting: []*hopWait{who},
	}
	p.trap.set.Store(true)
	return nil
}

// leaveHops ends somebody's wait. A measurement for which nobody waits ends.
func (p *peer) leaveHops(who *hopWait) {
	if r := p.hopRun; r != nil {
		r.waiting = slices.DeleteFunc(r.waiting, func(w *hopWait) bool { return w == who })
		if len(r.waiting) == 0 {
			p.endHops(nil, nil)
		}
	}
}

// endHops ends the measurement, and tells those who wait for it.
func (p *peer) endHops(report *hops.Report, err error) {
	waiting := p.hopRun.waiting
	p.hopRun = nil
	p.trap.release()
	for _, w := range waiting {
		w.told(report, err)
	}
}

// continueHops takes in what routers have answered, and sends the next probes.
func (c *controller) continueHops(p *peer, now time.Time) {
	r := p.hopRun
	if r == nil {
		return
	}
	r.caught = p.trap.take(r.caught[:0])
	for _, m := range r.caught {
		r.answered(m)
	}
	switch {
	case p.sas.current == nil || p.path == nil || p.looped():
		p.endHops(nil, errHopsEnded)
		return
	case p.path.pair != r.pair:
		p.endHops(nil, errHopsMoved)
		return
	}
	r.probes = r.Poll(r.probes[:0], now)
	for _, probe := range r.probes {
		c.sendHopProbe(p, r, probe)
	}
	if r.Done() {
		p.endHops(r.Report(), nil)
	}
}

func (c *controller) sendHopProbe(p *peer, r *hopRun, probe hops.Probe) {
	as := variant{}
	if len(p.variants) > 0 {
		as.tos = p.variants[0].tos
	}
	at := time.Now()
	r.Sent(probe.ID, at)
	message := control.AppendToken(nil, control.Probe, r.token|uint64(probe.ID))
	spi, seq, err := c.messenger.hop(p, message, probe.Size, uint8(probe.TTL), as)
	r.sent = append(r.sent, hopSent{spi, seq})
	if errors.Is(err, udp.ErrTooBig) {
		r.Answer(probe.ID, hops.Answer{Kind: hops.Refused}, at)
	}
}

// answered takes in a message of a router, if it is about a probe of this run.
func (r *hopRun) answered(m caught) {
	id := slices.Index(r.sent, hopSent{m.spi, m.seq})
	if id < 0 {
		return
	}
	kind := hops.Expired
	if m.kind == udp.PTB {
		kind = hops.TooBig
	}
	r.Answer(id, hops.Answer{Kind: kind, By: m.by, MTU: m.mtu}, m.at)
}

// ack takes in the ack of a probe, if it is one of this run.
func (r *hopRun) ack(token uint64, fragmented bool, now time.Time) {
	if id := token &^ r.token; token&r.token == r.token && id < 1<<hopRunShift {
		r.Answer(int(id), hops.Answer{Kind: hops.Arrived, Fragments: fragmented}, now)
	}
}
