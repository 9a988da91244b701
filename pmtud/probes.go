package pmtud

import "time"

// An Outcome is what became of a probe.
type Outcome uint8

const (
	Waiting    Outcome = iota // no answer yet
	Passed                    // acknowledged whole
	Fragmented                // acknowledged, but it came in fragments
	Unsent                    // it never left this host
	Lost                      // its fan has closed without an answer
)

var outcomeNames = [...]string{"waiting", "passed", "fragmented", "unsent", "lost"}

func (o Outcome) String() string { return outcomeNames[o] }

// A ProbeRecord is one probe as it was sent.
type ProbeRecord struct {
	Fan     int // counts from one with each new endpoint or suspicion
	Size    int // bytes of the outer IP packet
	Sent    time.Time
	After   time.Duration // until the ack, if there was one
	Outcome Outcome
}

// ProbeRecords returns the last probes of the present generation, oldest first.
//
// For a look at the path without touching the state in use, run a second
// Discovery without NewSA; it is for the caller to tell the two's ids apart.
func (d *Discovery) ProbeRecords() []ProbeRecord {
	var all []ProbeRecord
	for i := range uint32(rememberedProbes) {
		p := &d.probes[(d.counter+i)%rememberedProbes]
		if p.sent.IsZero() || uint32(p.id>>32) != d.generation {
			continue
		}
		all = append(all, ProbeRecord{int(p.round), p.size, p.sent, p.after, p.outcome})
	}
	return all
}
