package pmtud

import "time"

// A Cause says why a PLPMTU changed.
type Cause uint8

const (
	CauseStart     Cause = iota // a new or restarted path begins at BASE_PLPMTU
	CauseProbe                  // a larger probe was acknowledged
	CauseBlackHole              // large packets vanished: MIN_PLPMTU until probes have answered
	CausePTB                    // a validated PTB: BASE_PLPMTU until probes have answered
	CauseError                  // BASE_PLPMTU does not pass
	CauseEgress                 // the egress MTU shrank
	CauseLocal                  // the kernel refused a packet (EMSGSIZE)
	CauseLoss                   // large packets pass only sometimes: a size with which more arrives
	CauseTrial                  // a larger size is tried again
	CauseOutage                 // nothing was answered any more: an entry that changes nothing
	CausePath                   // another path is in use, of which this is known
)

var causeNames = [...]string{"start", "probe", "black hole", "PTB", "base does not pass", "egress MTU", "EMSGSIZE", "loss by size", "trial", "unreachable", "another path"}

func (c Cause) String() string { return causeNames[c] }

// An Event is one change of the PLPMTU, in bytes of the outer IP packet, or an
// outage, which changes nothing.
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

// withdraw removes the changes since a time: a suspicion that was false. An outage has been
// one all the same.
func (h *history) withdraw(since time.Time) {
	n := len(*h)
	for n > 0 && !(*h)[n-1].At.Before(since) {
		n--
	}
	kept := (*h)[:n]
	for _, e := range (*h)[n:] {
		if e.Cause != CauseOutage {
			continue
		}
		if len(kept) > 0 {
			e.From = kept[len(kept)-1].To
			e.To = e.From
		}
		kept = append(kept, e)
	}
	*h = kept
}

// LastCause returns why the PLPMTU was changed last; false: it never was.
func (d *Discovery) LastCause() (Cause, bool) {
	if len(d.history) == 0 {
		return 0, false
	}
	return d.history[len(d.history)-1].Cause, true
}

// History returns the last changes of the PLPMTU, oldest first. A suspicion stands
// there while it lasts; one that proves false is taken out again, and counted by
// Counts.FalseAlarms. The slice is the caller's.
func (d *Discovery) History() []Event { return append([]Event(nil), d.history...) }
