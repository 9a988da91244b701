package pmtud

import "time"

// Deadline returns when Poll must be called at the latest, zero if nothing will
// become due.
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
		earlier(d.round.nextAt)
	} else {
		earlier(d.recheckAt())
	}
	earlier(d.raiser.at)
	if d.asks() {
		earlier(d.requests.dueAt(d.rtt.smoothed))
	}
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
	ID   uint64 // to come back in the ack or report: generation ‖ counter, IDBits in all
	Size int    // of a probe
}

// Poll does the work that is due, and appends to dst the messages to be sent
// now, in this order. It allocates nothing if dst has room, once the Discovery's
// own buffers have grown.
func (d *Discovery) Poll(dst []Action, now time.Time) []Action {
	if d.state == Disabled || d.cfg.Mode == Off {
		return dst
	}
	d.excuse(now)
	if d.round.open && !now.Before(d.round.closeAt) {
		d.closeRound(now)
	}
	if due(d.raiser.at, now) {
		d.raise(now)
	}
	if due(d.silenceAt(), now) {
		d.silence(now)
	}
	if !d.round.open && d.wantsFan() && !now.Before(d.round.nextAt) {
		dst = d.openRound(dst, now)
	}
	if !d.round.open && !d.wantsFan() && due(d.recheckAt(), now) {
		dst = d.openRecheck(dst, now)
	}
	switch {
	case !d.asks():
	case due(d.requests.dueAt(d.rtt.smoothed), now):
		dst = d.requests.ask(dst, d.probes.generation, d.search.grid.min, now)
	default:
		d.requests.grow(d.search.grid.min)
	}
	return dst
}

// due reports whether a deadline has come. Zero stands for no deadline.
func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// wantsFan reports whether there is something to probe.
func (d *Discovery) wantsFan() bool {
	switch d.state {
	case Base, Searching, Unreachable:
		return true
	case Error:
		return !d.settled || d.verify > 0
	}
	return d.verify > 0
}
