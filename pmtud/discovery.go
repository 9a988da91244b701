package pmtud

import "time"

// A Discovery finds and keeps the PLPMTU of one path to a peer, in one
// direction. Its state depends on its inputs alone: it does no I/O and reads no
// clock. All its methods belong to one goroutine.
//
// After any call the caller reads PLPMTU, sends what Poll returns, and calls
// Poll again at Deadline at the latest.
type Discovery struct {
	cfg      Config
	endpoint Endpoint
	local    int // the kernel refused larger packets (EMSGSIZE); 0: none

	state      State
	settled    bool // Error: the search below BASE_PLPMTU has ended
	plpmtu     int
	history    history // of the PLPMTU in use, whichever path that was of
	suspended  suspension
	trial      trial
	doubt      doubt
	recheck    recheck
	comparison comparison
	raiser     raiser

	// The search, and the fans that it sends.
	search search
	verify int  // a size that the next fan must confirm while it stays in use; 0: none
	alone  bool // by one probe
	copies int  // packets that each probe leaves as
	budget budget
	round  round
	probes probes
	sizes  []int // scratch

	// The path, beside its MTU.
	rtt      rtt
	standby  standby
	reorders bool // answers were seen out of order
	clearsDF bool

	// Signs of a smaller MTU.
	requests requests
	detector detector
	ptbs     ptbTrust
}

// New returns a Discovery in state Disabled.
func New(cfg Config) *Discovery {
	cfg = cfg.withDefaults()
	g := cfg.bounds(false, maxPacket)
	d := &Discovery{
		cfg:      cfg,
		copies:   1,
		plpmtu:   g.base,
		search:   search{mode: cfg.Mode, maxProbes: cfg.MaxProbes, grid: g},
		raiser:   raiser{limit: cfg.RaiseTimer},
		detector: newDetector(),
		requests: requests{path: cfg.Path},
	}
	d.forget()
	return d
}

// NewEndpoint begins a new path from BASE_PLPMTU (RFC 8899, 5.2): at the first
// SA, and whenever the peer's address has changed. The address must be
// validated, as probes are larger than the packets that ask for them. Answers
// to earlier probes count no more.
func (d *Discovery) NewEndpoint(e Endpoint, now time.Time) {
	d.endpoint, d.local = e, 0
	d.rtt, d.clearsDF = rtt{}, false
	d.search.grid = d.cfg.bounds(e.IPv6, e.EgressMTU)
	if d.cfg.Mode == Off {
		d.setPLPMTU(d.search.grid.max, CauseStart, now)
		return
	}
	d.transition(connected, now)
	d.restart(now)
}

// Stop says that the peer cannot be reached (RFC 8899, 5.2 DISABLED). PLPMTU
// still returns the last one.
func (d *Discovery) Stop(now time.Time) { d.transition(disconnected, now) }

// SeedRTT gives a round trip measured elsewhere, by the handshake, so that the
// first fan need not wait for the initial timeout. It comes after NewEndpoint,
// which forgets the former path's.
func (d *Discovery) SeedRTT(sample time.Duration) { d.rtt.sample(sample) }

// NewSA says that packets leave on another SA from now on. log records their
// sizes.
func (d *Discovery) NewSA(log *SentLog) {
	d.requests.newSA(log)
	d.detector.newSA()
	d.ptbs.open = false
}

// EgressMTU says that the MTU of the interface or route towards the peer is
// now mtu bytes.
func (d *Discovery) EgressMTU(mtu int, now time.Time) {
	d.endpoint.EgressMTU, d.local = mtu, 0
	d.rebound(CauseEgress, now)
}

// LocalTooBig says that our own kernel refused a packet of size bytes
// (EMSGSIZE). The Discovery believes it: it lowers the PLPMTU in use, not the
// search alone. The caller has made sure that the error is of this packet, not a
// pending one. The bound holds until EgressMTU, NewEndpoint or the raise timer.
func (d *Discovery) LocalTooBig(size int, now time.Time) {
	if size <= d.search.grid.min || d.local != 0 && size > d.local {
		return
	}
	d.local = size - 1
	d.rebound(CauseLocal, now)
	if d.raiser.at.IsZero() && d.resting() {
		d.raiser.runOnce(now)
	}
}

// rebound applies a changed MAX_PLPMTU.
func (d *Discovery) rebound(cause Cause, now time.Time) {
	egress := d.endpoint.EgressMTU
	if d.local > 0 {
		egress = min(egress, d.local)
	}
	s, before := &d.search, d.search.grid
	s.grid = d.cfg.bounds(d.endpoint.IPv6, egress)
	s.lo = min(s.lo, s.grid.max)
	d.suspended.plpmtu = min(d.suspended.plpmtu, s.grid.max)
	d.verify = min(d.verify, s.grid.max)
	if d.cfg.Mode == Off {
		d.setPLPMTU(s.grid.max, cause, now)
		return
	}
	if d.plpmtu > s.grid.max {
		d.setPLPMTU(s.grid.max, cause, now)
		d.raiser.shorten()
	}
	switch {
	case s.grid.max > before.max || s.grid.base > before.base:
		d.transition(maxRaised, now)
	case d.state == Searching && s.atMax():
		d.transition(maxAcked, now)
	case d.state == Error && s.lo >= s.grid.base:
		d.transition(baseAcked, now)
	}
}

// PLPMTU returns the largest outer IP packet, in bytes, that may be sent now,
// always a size that a packet can have.
func (d *Discovery) PLPMTU() int { return d.plpmtu }

// State returns the state of RFC 8899, 5.2.
func (d *Discovery) State() State { return d.state }

// Settled reports whether the PLPMTU is the result of a finished search, not
// the start or an interim size of one. Only that is worth telling hosts about,
// which remember it.
func (d *Discovery) Settled() bool {
	if d.cfg.Mode == Off {
		return true
	}
	return d.suspended.plpmtu == 0 && d.trial.phase != smaller && d.trial.phase != control && d.resting()
}

// ClearsDF reports whether probes have arrived in fragments, which they forbid:
// something on the path clears DF.
func (d *Discovery) ClearsDF() bool { return d.clearsDF }

// RTT returns SRTT and RTTVAR (RFC 6298), zero before any sample.
func (d *Discovery) RTT() (smoothed, variance time.Duration) {
	return d.rtt.smoothed, d.rtt.variance
}

// Loss returns the share of packets lost for reasons other than size, 0 to 1,
// according to recent reports.
func (d *Discovery) Loss() float64 { return d.detector.loss }

// setPLPMTU makes size the PLPMTU from now on.
func (d *Discovery) setPLPMTU(size int, cause Cause, now time.Time) {
	if size == d.plpmtu {
		return
	}
	d.record(Event{At: now, From: d.plpmtu, To: size, Cause: cause})
	d.use(size)
}

// record adds an event to the history, which is of the path in use.
func (d *Discovery) record(e Event) {
	if !d.standby.on {
		d.history.add(e)
	}
}

// takeBack makes a former size the PLPMTU again, as if the changes since a time had
// not been.
func (d *Discovery) takeBack(since time.Time, size int, now time.Time) {
	if !d.standby.on {
		d.history.withdraw(since)
		if n := len(d.history); n > 0 && d.history[n-1].To != size {
			d.record(Event{At: now, From: d.history[n-1].To, To: size, Cause: CausePath})
		}
	}
	d.use(size)
}

// use makes size the PLPMTU without an entry in the history.
func (d *Discovery) use(size int) {
	d.plpmtu = size
	d.detector.newPLPMTU(d.requests.highestSent())
	above := 0
	if d.trial.phase == larger {
		above = d.trial.good
	}
	d.detector.sizes.begin(size, above)
}

// restart voids the probes in flight and lets a fan leave at once.
func (d *Discovery) restart(now time.Time) {
	d.probes.renew()
	d.round = round{nextAt: now}
	d.raiser.stop()
	d.budget = initialBudget
}

// forget drops all knowledge of the path.
func (d *Discovery) forget() {
	d.restart(time.Time{})
	d.raiser.shorten() // a new path's first search is checked soon, too
	d.search.forget()
	d.verify, d.alone, d.reorders, d.suspended, d.ptbs = 0, false, false, suspension{}, newPTBTrust()
	d.trial, d.doubt, d.recheck, d.comparison = trial{}, doubt{}, recheck{}, newComparison()
	d.requests.forget()
	d.detector.forget()
}
