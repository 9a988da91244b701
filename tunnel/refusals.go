package tunnel

import (
	"net/netip"
	"time"
)

// refusedFor is how long a place to which there was no way is not looked up again.
const refusedFor = time.Second

// refusals are the places that a peer's packets have come from lately and to which
// there was no way. Packets may come from several in turn, or from another one each:
// beyond a few, none is looked up until the oldest is forgotten. So the look-ups for
// one peer are bounded, whatever its packets say. The zero value refuses nothing;
// owned by the control goroutine; pure.
type refusals []refusal

// maxRefusals is how many places are refused at a time.
const maxRefusals = 4

type refusal struct {
	place netip.AddrPort
	until time.Time
}

// has reports whether a place is not to be looked up now.
func (r *refusals) has(place netip.AddrPort, now time.Time) bool {
	fresh := 0
	for _, refused := range *r {
		if !now.Before(refused.until) {
			continue
		}
		if refused.place == place {
			return true
		}
		fresh++
	}
	return fresh == maxRefusals
}

// add refuses a place from now on. has must have said that it may be looked up.
func (r *refusals) add(place netip.AddrPort, now time.Time) {
	one := refusal{place, now.Add(refusedFor)}
	if len(*r) < maxRefusals {
		*r = append(*r, one)
		return
	}
	oldest := &(*r)[0]
	for i := range *r {
		if other := &(*r)[i]; other.until.Before(oldest.until) {
			oldest = other
		}
	}
	*oldest = one
}
