package pmtud

import "time"

// A Discovery finds and keeps the PLPMTU of the path to one peer, in one
// direction. It is a value of its inputs alone: it does no I/O and reads no
// clock. All its methods belong to one goroutine.
//
// After any call the caller reads PLPMTU, sends what Poll returns, and calls
// Poll again at Deadline at the latest.
type Discovery struct {
	cfg      Config
	endpoint Endpoint
	grid     grid
	local    int // what the kernel refused (EMSGSIZE) is above this; 0: nothing

	state      State
	plpmtu     int
	settled    bool // Error: the search below BASE_PLPMTU has ended
	clearsDF   bool
	generation uint32 // of probes: an older one's answers are void

	lo      int       // the largest size acknowledged in this generation; 0: none
	fails   []failure // the failed probes of sizes above lo, by size
	hint    int       // an offered MTU to begin the next fan with; 0: none
	raising bool      // the search began at a known size
	lossy   bool      // probes of passing sizes were lost in this search

	doubt      doubt
	verify     int // a size that the next fan must confirm without lowering the PLPMTU; 0: none
	verifyNext time.Time
	verifyWait time.Duration
	ptbFrom    time.Time // PTBs are ignored until

	// Validated PTBs in a row that probes proved wrong, and when the last was.
	contradicted   int
	contradictedAt time.Time

	round     round
	probes    [rememberedProbes]probe // the last ones sent, by counter
	counter   uint32
	packets   int // a fan's packets
	bytes     int // a fan's bytes
	nextFan   time.Time
	raiseAt   time.Time
	raiseIn   time.Duration
	keptRaise time.Time // what a false alarm has interrupted
	history   []Event
	rtt       rtt
	reorders  bool // answers were seen out of order
	sizes     []int

	log     *SentLog
	epoch   uint32 // sequence numbers up to this say nothing of the present PLPMTU
	reports reports
}

// New returns a Discovery in state Disabled.
func New(cfg Config) *Discovery {
	cfg = cfg.withDefaults()
	d := &Discovery{cfg: cfg, grid: cfg.bounds(false, maxPacket)}
	d.plpmtu = d.grid.base
	d.forget()
	return d
}

// NewEndpoint begins a new path from BASE_PLPMTU (RFC 8899, 5.2): at the first
// SA, and whenever the peer's address has changed. The address must be
// validated, as probes are larger than what asks for them. Answers to earlier
// probes count no more.
func (d *Discovery) NewEndpoint(e Endpoint, now time.Time) {
	d.endpoint, d.local = e, 0
	d.rtt, d.clearsDF = rtt{}, false
	d.grid = d.cfg.bounds(e.IPv6, e.EgressMTU)
	if d.cfg.Mode == Off {
		d.setPLPMTU(d.grid.max, CauseStart, now)
		return
	}
	d.transition(connected, now)
	d.restart(now)
}

// Stop says that the peer cannot be reached (RFC 8899, 5.2 DISABLED). The
// PLPMTU stays for whoever asks.
func (d *Discovery) Stop(now time.Time) { d.transition(disconnected, now) }

// SeedRTT gives a round trip measured elsewhere, by the handshake, so that the
// first fan need not wait for the initial timeout. It comes after NewEndpoint,
// which forgets the former path's.
func (d *Discovery) SeedRTT(sample time.Duration) { d.rtt.sample(sample) }

// NewSA says that packets leave on another SA from now on, whose sizes log
// records.
func (d *Discovery) NewSA(log *SentLog) {
	d.log, d.epoch = log, 0
	d.reports.newSA()
	log.armed.Store(true)
}

// EgressMTU says that the MTU of the interface or route towards the peer is
// now mtu bytes.
func (d *Discovery) EgressMTU(mtu int, now time.Time) {
	d.endpoint.EgressMTU, d.local = mtu, 0
	d.rebound(CauseEgress, now)
}

// LocalTooBig says that our own kernel refused a packet of size bytes
// (EMSGSIZE), which is believed: it lowers the PLPMTU in use, not the search
// alone. The caller has made sure that the error was not a pending one. The
// bound holds until EgressMTU, NewEndpoint or the raise timer.
func (d *Discovery) LocalTooBig(size int, now time.Time) {
	if size <= d.grid.min || d.local != 0 && size > d.local {
		return
	}
	d.local = size - 1
	d.rebound(CauseLocal, now)
	if d.raiseAt.IsZero() && (d.state == SearchComplete || d.settled) {
		d.raiseAt = now.Add(d.raiseIn)
	}
}

// rebound applies a changed MAX_PLPMTU.
func (d *Discovery) rebound(cause Cause, now time.Time) {
	egress := d.endpoint.EgressMTU
	if d.local > 0 {
		egress = min(egress, d.local)
	}
	before := d.grid
	d.grid = d.cfg.bounds(d.endpoint.IPv6, egress)
	d.lo = min(d.lo, d.grid.max)
	d.doubt.size = min(d.doubt.size, d.grid.max)
	if d.cfg.Mode == Off {
		d.setPLPMTU(d.grid.max, cause, now)
		return
	}
	if d.plpmtu > d.grid.max {
		d.setPLPMTU(d.grid.max, cause, now)
		d.reduced()
	}
	switch {
	case d.grid.max > before.max || d.grid.base > before.base:
		d.transition(maxRaised, now)
	case d.state == Searching && d.lo >= d.grid.max:
		d.transition(maxAcked, now)
	case d.state == Error && d.lo >= d.grid.base:
		d.transition(baseAcked, now)
	}
}

// PLPMTU returns the largest outer IP packet, in bytes, that may be sent now,
// always a size that a packet can have.
func (d *Discovery) PLPMTU() int { return d.plpmtu }

// State returns the state of RFC 8899, 5.2.
func (d *Discovery) State() State { return d.state }

// Settled reports whether the PLPMTU is what a search has ended with, as
// opposed to what one begins with or has come to. Only that is worth telling
// hosts about, who remember it.
func (d *Discovery) Settled() bool {
	if d.cfg.Mode == Off {
		return true
	}
	return d.doubt.size == 0 && (d.state == SearchComplete || d.state == Error && d.settled)
}

// ClearsDF reports whether probes have arrived in fragments, which they forbid:
// something on the path clears DF.
func (d *Discovery) ClearsDF() bool { return d.clearsDF }

// RTT returns SRTT and RTTVAR (RFC 6298), zero before any sample.
func (d *Discovery) RTT() (smoothed, variance time.Duration) {
	return d.rtt.smoothed, d.rtt.variance
}

// Loss returns the share of packets lost for reasons other than size, 0 to 1,
// as reports have told of late.
func (d *Discovery) Loss() float64 { return d.reports.loss }

// Deadline returns when Poll must be called at the latest, zero if nothing is
// to be done.
func (d *Discovery) Deadline() time.Time {
	var at time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if d.state == Disabled || d.cfg.Mode == Off {
		return at
	}
	if d.round.open {
		earlier(d.round.closeAt)
	} else if d.wantsFan() {
		earlier(d.nextFan)
	}
	earlier(d.raiseAt)
	earlier(d.requestAt())
	earlier(d.silenceAt())
	return at
}

// An ActionKind says what to send.
type ActionKind uint8

const (
	SendProbe         ActionKind = iota // a probe of exactly Size bytes of outer IP packet, DF set
	SendReportRequest                   // a small report request
)

// An Action is something to send now.
type Action struct {
	Kind ActionKind
	ID   uint64 // to come back in the ack or report: generation ‖ counter
	Size int    // of a probe
}

// Poll does what has become due and appends to dst what is to be sent now, in
// this order.
func (d *Discovery) Poll(dst []Action, now time.Time) []Action {
	if d.state == Disabled || d.cfg.Mode == Off {
		return dst
	}
	if d.round.open && !now.Before(d.round.closeAt) {
		d.closeRound(now)
	}
	if !d.raiseAt.IsZero() && !now.Before(d.raiseAt) {
		d.raise(now)
	}
	if t := d.silenceAt(); !t.IsZero() && !now.Before(t) {
		d.reports.forgetRequests()
		d.blackHole(now)
	}
	if !d.round.open && d.wantsFan() && !now.Before(d.nextFan) {
		dst = d.openRound(dst, now)
	}
	return d.request(dst, now)
}

// wantsFan reports whether there is something to probe.
func (d *Discovery) wantsFan() bool {
	switch d.state {
	case Base, Searching:
		return true
	case Error:
		return !d.settled || d.verify > 0
	}
	return d.verify > 0
}

// acked takes in that packets of size bytes pass.
func (d *Discovery) acked(size int, now time.Time) {
	if size = min(size, d.grid.max); size < d.grid.min {
		return // proves nothing of any size that may be used
	}
	if size > d.lo {
		d.lo = size
		d.dropFailures()
	}
	if size >= d.grid.base && (d.state == Base || d.state == Error) {
		d.transition(baseAcked, now)
	}
	cause := CauseProbe
	if d.doubt.size > 0 && d.lo >= d.doubt.size {
		cause = CauseResumed
		d.falseAlarm()
	}
	if d.lo > d.plpmtu && d.state != Base {
		d.setPLPMTU(d.lo, cause, now)
		if d.state == SearchComplete {
			d.transition(baseAcked, now)
		}
	}
	if d.state == Searching && d.lo >= d.grid.max {
		d.transition(maxAcked, now)
	}
}

// decide ends the search if its end is reached.
func (d *Discovery) decide(now time.Time) {
	switch d.state {
	case Base:
		if d.failures(d.grid.base) >= d.cfg.MaxProbes {
			d.transition(baseFailed, now)
		}
	case Searching:
		if d.lo >= d.grid.max {
			d.transition(maxAcked, now)
		} else if d.failures(d.lo+d.grid.step) >= d.enough() {
			d.transition(sizeFailed, now)
		}
	case Error:
		if d.lo > 0 && d.failures(d.lo+d.grid.step) >= d.enough() {
			if !d.settled {
				d.complete(now)
			}
			d.settled = true
		}
	}
}

// restart voids the probes in flight and lets a fan leave at once.
func (d *Discovery) restart(now time.Time) {
	d.generation++
	d.round = round{}
	d.nextFan = now
	d.raiseAt = time.Time{}
	d.packets, d.bytes = fanPackets, fanBytes
}

// forget drops all that was learned of a path.
func (d *Discovery) forget() {
	d.generation++
	d.round = round{}
	d.lo, d.fails, d.hint, d.verify = 0, d.fails[:0], 0, 0
	d.raising, d.lossy, d.reorders = false, false, false
	d.doubt = doubt{}
	d.verifyWait, d.contradicted = verifyInterval, 0
	d.verifyNext, d.ptbFrom, d.raiseAt = time.Time{}, time.Time{}, time.Time{}
	d.reduced() // a new path's first search is checked soon, too
	d.packets, d.bytes = fanPackets, fanBytes
	d.reports.restart()
}
