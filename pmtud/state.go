package pmtud

import "time"

// A State is one of RFC 8899, 5.2.
type State uint8

const (
	Disabled State = iota
	Base
	Searching
	SearchComplete
	Error
)

var stateNames = [...]string{"disabled", "base", "searching", "search_complete", "error"}

func (s State) String() string { return stateNames[s] }

// An event may cause a transition.
type event uint8

const (
	connected    event = iota // the peer's address is validated
	disconnected              // the peer cannot be reached any more
	baseAcked                 // a probe of BASE_PLPMTU or more was acknowledged
	baseFailed                // PROBE_COUNT of BASE_PLPMTU is MAX_PROBES
	maxAcked                  // PLPMTU = MAX_PLPMTU
	sizeFailed                // PROBE_COUNT of the size after PLPMTU is MAX_PROBES
	maxRaised                 // MAX_PLPMTU has grown
	raiseExpired              // PMTU_RAISE_TIMER
	blackHole                 // large packets vanish, or reports do
	validPTB                  // a validated PTB below PLPMTU
)

// The state machine of RFC 8899, 5.2 (figure 5):
//
//	         DISABLED ◀── disconnected ── (any)
//	            │ connected
//	            ▼        baseFailed
//	┌────────▶ BASE ─────────────────▶ ERROR ◀┐ raiseExpired, maxRaised, blackHole,
//	│           │ baseAcked              │  └─┘ validPTB: search again below BASE_PLPMTU
//	│blackHole, ▼                        │
//	│validPTB   │ ◀──── baseAcked ───────┘
//	├──── SEARCHING ◀───────────────┐
//	│           │ maxAcked,         │ raiseExpired,
//	│           ▼ sizeFailed        │ maxRaised
//	└─── SEARCH_COMPLETE ───────────┘
//
// A pair of state and event without a line here changes nothing.
var transitions = []struct {
	from State
	on   event
	to   State
	rfc  string // the section of RFC 8899 that asks for the transition
}{
	{Disabled, connected, Base, "5.2 DISABLED: PL indicates connectivity"},
	{Base, connected, Base, "5.2: one machine per path, a new one begins in BASE"},
	{Searching, connected, Base, "5.2: likewise"},
	{SearchComplete, connected, Base, "5.2: likewise"},
	{Error, connected, Base, "5.2: likewise"},

	{Base, disconnected, Disabled, "5.2 DISABLED: from any other state"},
	{Searching, disconnected, Disabled, "5.2 DISABLED: from any other state"},
	{SearchComplete, disconnected, Disabled, "5.2 DISABLED: from any other state"},
	{Error, disconnected, Disabled, "5.2 DISABLED: from any other state"},

	{Base, baseAcked, Searching, "5.2 BASE: exited when the probe is acknowledged"},
	{Base, baseFailed, Error, "5.2 BASE: PROBE_COUNT reaches MAX_PROBES"},

	{Searching, maxAcked, SearchComplete, "5.2 SEARCHING: PLPMTU = MAX_PLPMTU"},
	{Searching, sizeFailed, SearchComplete, "5.2 SEARCHING: PROBE_COUNT reaches MAX_PROBES"},
	{Searching, blackHole, Base, "5.2 SEARCHING: black hole detected"},
	{Searching, validPTB, Base, "4.6.2: PLPMTU SHOULD be set to BASE_PLPMTU"},

	{SearchComplete, raiseExpired, Searching, "5.2 SEARCH_COMPLETE: PMTU_RAISE_TIMER"},
	{SearchComplete, maxRaised, Searching, "5.3.1: MAX_PLPMTU is part of the search range"},
	{SearchComplete, baseAcked, Searching, "5.3.3: a late acknowledgment of a larger size reopens the search"},
	{SearchComplete, blackHole, Base, "5.2 SEARCH_COMPLETE: black hole detected"},
	{SearchComplete, validPTB, Base, "4.6.2: PLPMTU SHOULD be set to BASE_PLPMTU"},

	{Error, baseAcked, Searching, "5.2 ERROR: exited when probes no longer detect the error"},
	{Error, raiseExpired, Error, "5.4: probe BASE_PLPMTU again"},
	{Error, maxRaised, Error, "5.4: probe BASE_PLPMTU again"},
	{Error, blackHole, Error, "5.4: search again below BASE_PLPMTU"},
	{Error, validPTB, Error, "5.4: search again below BASE_PLPMTU"},
}

// resting reports whether the search has ended.
func (d *Discovery) resting() bool { return d.state == SearchComplete || d.state == Error && d.settled }

// transition moves the machine as the table says. It reports whether the event
// has a line there.
func (d *Discovery) transition(e event, now time.Time) bool {
	for _, t := range transitions {
		if t.from == d.state && t.on == e {
			d.state = t.to
			d.entered(t.from, e, now)
			return true
		}
	}
	return false
}

// entered does what RFC 8899 asks for on entry of a state, given the former
// state and the event.
func (d *Discovery) entered(from State, e event, now time.Time) {
	s := &d.search
	d.settled = false
	switch d.state {
	case Disabled:
		d.forget()
	case Base: // PROBED_SIZE = BASE_PLPMTU, PROBE_COUNT = 0
		if e == connected {
			d.forget()
			d.setPLPMTU(s.grid.base, CauseStart, now)
		} else {
			d.suspend(e, now)
		}
	case Searching:
		if from == SearchComplete && e != baseAcked { // a raise
			s.raise()
			d.budget = initialBudget
		}
	case SearchComplete:
		d.complete(now)
	case Error:
		switch e {
		case baseFailed:
			s.fails.clear()
			if s.lo > 0 { // else nothing passes: an outage, which is not about size
				d.setPLPMTU(s.lo, CauseError, now)
				d.raiser.shorten()
				s.giveUp(s.grid.base)
			}
		case blackHole, validPTB:
			d.suspend(e, now)
		default: // probe BASE_PLPMTU again
			s.fails.clear()
			d.budget = initialBudget
		}
	}
}
