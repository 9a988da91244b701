package crypto

import (
	"fmt"
	"time"
)

// ReplayGuard refuses initiations of one peer that were recorded and are sent
// again: Responder.Accept asks it. Where timestamps do not tell, since a clock was
// or is wrong, a challenge does. Three things are remembered, so that none is
// accepted twice:
//
//	floor               the newest timestamp accepted that our clock found likely
//	ahead, from and to  those accepted by a challenge though far in the future lie
//	                    between: as a floor they would refuse the peer for years
//	                    after its clock has been set right
//	returned            the newest challenge that came back
//
// The zero value has seen no initiation.
type ReplayGuard struct {
	began      uint64 // Unix nanoseconds: see Begin
	floor      uint64
	aheadFrom  uint64
	aheadTo    uint64 // 0: none was ahead
	latest     uint64 // timestamp of the initiation accepted last
	returnedAt uint64 // when the newest challenge that came back was made; see challenger
}

const (
	// farAhead is how far a timestamp may be in the future. A clock that is set to
	// the local time of whatever zone is still near: it is at most 14 hours wrong.
	// For as long as that a peer may need challenges when its clock has been set
	// right.
	farAhead = 24 * time.Hour
	// aheadSlack is how much older than an accepted initiation far in the future
	// those may be that were sent before it by the same clock and were not
	// accepted.
	aheadSlack = time.Hour
)

// Begin tells the guard when this end started. An earlier run may have accepted
// whatever was sent before. (What a peer whose clock was ahead has sent is not known
// to be from before; once more it may be accepted.)
func (g *ReplayGuard) Begin(now time.Time) { g.began = timestampOf(now) }

// timestampOf returns what a clock tells, in nanoseconds of Unix time. 0 is no
// timestamp.
func timestampOf(now time.Time) uint64 { return uint64(max(now.UnixNano(), 1)) }

// DoubtKind says why the timestamp of an initiation does not show that it is
// fresh. The numbers are part of the wire format.
type DoubtKind uint8

const (
	// NoDoubt: the timestamp is newer than all before it.
	NoDoubt DoubtKind = 0
	// ClockBehind: it is not newer than that of an initiation accepted before.
	ClockBehind DoubtKind = 1
	// ClockAhead: it is far in the future of the responder's clock.
	ClockAhead DoubtKind = 2
	// BeforeStart: it is older than the responder's start.
	BeforeStart DoubtKind = 3
)

// Doubt is a responder's doubt that an initiation is fresh. The zero value is none.
type Doubt struct {
	Kind DoubtKind
	// Timestamp is that of the initiation, and Reference the one that it was
	// compared with, in nanoseconds of Unix time.
	Timestamp, Reference uint64
}

// Gap is how far the timestamp is from where it should be.
func (d Doubt) Gap() time.Duration {
	const most = uint64(1<<63 - 1)
	return time.Duration(min(max(d.Timestamp, d.Reference)-min(d.Timestamp, d.Reference), most))
}

func (d Doubt) String() string {
	switch d.Kind {
	case NoDoubt:
		return "the timestamp is new"
	case ClockBehind:
		return fmt.Sprintf("the timestamp is %v older than one before", d.Gap())
	case ClockAhead:
		return fmt.Sprintf("the timestamp is %v in the future", d.Gap())
	case BeforeStart:
		return fmt.Sprintf("the timestamp is %v older than the start of this end", d.Gap())
	}
	return fmt.Sprintf("doubt %d", uint8(d.Kind))
}

// doubt judges a timestamp at a time of our own clock.
func (g *ReplayGuard) doubt(timestamp, now uint64) Doubt {
	g.began = min(g.began, now) // our clock may have been set back since
	because := func(kind DoubtKind, reference uint64) Doubt { return Doubt{kind, timestamp, reference} }
	switch {
	case timestamp <= g.floor:
		return because(ClockBehind, g.floor)
	case isFarAhead(timestamp, now):
		return because(ClockAhead, now)
	case g.aheadFrom <= timestamp && timestamp <= g.aheadTo:
		return because(ClockBehind, g.aheadTo)
	case timestamp < g.began:
		return because(BeforeStart, g.began)
	}
	return Doubt{}
}

// note takes note of an accepted initiation.
func (g *ReplayGuard) note(timestamp, now uint64) {
	g.latest = timestamp
	if !isFarAhead(timestamp, now) {
		g.floor = max(g.floor, timestamp)
		return
	}
	from := timestamp - uint64(aheadSlack)
	if g.aheadTo == 0 || from < g.aheadFrom {
		g.aheadFrom = from
	}
	g.aheadTo = max(g.aheadTo, timestamp)
}

func isFarAhead(timestamp, now uint64) bool {
	return timestamp > now && timestamp-now > uint64(farAhead)
}
