package pmtud

import "time"

// An Outcome is the fate of a probe.
type Outcome uint8

const (
	Waiting    Outcome = iota // no answer yet
	Passed                    // acknowledged whole
	Fragmented                // acknowledged, but it came in fragments
	Unsent                    // it never left this host, which says nothing of its size
	Lost                      // its fan has closed without an answer
	Refused                   // the kernel refused it for now
)

var outcomeNames = [...]string{"waiting", "passed", "fragmented", "unsent", "lost", "refused"}

func (o Outcome) String() string { return outcomeNames[o] }

// A ProbeRecord is one probe as it was sent.
type ProbeRecord struct {
	Fan     int // counts from one with each new endpoint or suspicion
	Size    int // bytes of the outer IP packet
	Sent    time.Time
	After   time.Duration // until the ack, if there was one
	Outcome Outcome
}

type probe struct {
	id uint64
	ProbeRecord
}

// answer takes in the acknowledgment, and reports whether it counts: the first
// one does, even after the fan has closed.
func (p *probe) answer(inFragments bool, now time.Time) bool {
	if p.Outcome != Waiting && p.Outcome != Lost {
		return false
	}
	p.Outcome, p.After = Passed, now.Sub(p.Sent)
	if inFragments {
		p.Outcome = Fragmented
	}
	return true
}

// IDBits is how many bits an Action.ID has. The others are the caller's.
const IDBits = 48

// probes remembers the last probes that were sent. Answers to those of an
// earlier generation are void.
type probes struct {
	generation uint32                   // of IDBits-32 bits
	counter    uint32                   // of the next
	last       *[rememberedProbes]probe // nil: none was sent
}

// renew begins another generation.
func (p *probes) renew() { p.generation = (p.generation + 1) % (1 << (IDBits - 32)) }

// add takes down a probe that is sent now, and returns its id.
func (p *probes) add(fan, size int, now time.Time) (id uint64) {
	if p.last == nil {
		p.last = new([rememberedProbes]probe)
	}
	id = uint64(p.generation)<<32 | uint64(p.counter)
	p.last[p.counter%rememberedProbes] = probe{id, ProbeRecord{Fan: fan, Size: size, Sent: now}}
	p.counter++
	return id
}

// number returns the probe with a counter, which must still be remembered.
func (p *probes) number(counter uint32) *probe { return &p.last[counter%rememberedProbes] }

// find returns the probe of this generation with an id, nil if it is unknown or
// forgotten.
func (p *probes) find(id uint64) *probe {
	if p.last == nil {
		return nil
	}
	found := p.number(uint32(id))
	if found.id != id || uint32(id>>32) != p.generation || found.Sent.IsZero() {
		return nil
	}
	return found
}

// ProbeRecords returns the last probes of the present generation, oldest first.
// The slice is the caller's.
//
// To measure the path without touching the state in use, run a second Discovery
// without NewSA. The caller must tell the ids of the two apart.
func (d *Discovery) ProbeRecords() []ProbeRecord {
	var all []ProbeRecord
	if d.probes.last == nil {
		return nil
	}
	for i := range uint32(rememberedProbes) {
		p := d.probes.number(d.probes.counter + i)
		if !p.Sent.IsZero() && uint32(p.id>>32) == d.probes.generation {
			all = append(all, p.ProbeRecord)
		}
	}
	return all
}
