package pmtud

import "time"

// A Cause says why a PLPMTU changed.
type Cause uint8

const (
	CauseStart     Cause = iota // a new or restarted path begins at BASE_PLPMTU
	CauseProbe                  // a larger probe was acknowledged
	CauseBlackHole              // large packets vanished: MIN_PLPMTU until probes have answered
	CausePTB                    // a validated PTB: BASE_PLPMTU until probes have answered
	CauseResumed                // the suspicion was false: back to the former size
	CauseError                  // BASE_PLPMTU does not pass
	CauseEgress                 // the egress MTU shrank
	CauseLocal                  // the kernel refused a packet (EMSGSIZE)
	CausePath                   // another path is in use, of which this is known
)

var causeNames = [...]string{"start", "probe", "black hole", "PTB", "false alarm", "base does not pass", "egress MTU", "EMSGSIZE", "another path"}

func (c Cause) String() string { return causeNames[c] }

// An Event is one change of the PLPMTU, in bytes of the outer IP packet.
type Event struct {
	At       time.Time
	From, To int
	Cause    Cause
}

// history holds the last events, oldest first.
type history []Event

// add appends an event, and drops the oldest when there are too many.
func (h *history) add(e Event) {
	if len(*h) == historyEvents {
		*h = append((*h)[:0], (*h)[1:]...)
	}
	*h = append(*h, e)
}

// History returns the last changes of the PLPMTU, oldest first. The slice is
// the caller's.
func (d *Discovery) History() []Event { return append([]Event(nil), d.history...) }
