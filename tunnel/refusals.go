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
type refusals [4]refusal

type refusal struct {
	place netip.AddrPort
	until time.Time
}

// has reports whether a place is not to be looked up now.
func (r *refusals) has(place netip.AddrPort, now time.Time) bool {
	fresh := 0
	for _, refused := range r {
		if !now.Before(refused.until) {
			continue
		}
		if refused.place == place {
			return true
		}
		fresh++
	}
	return fresh == len(r)
}

// add refuses a place from now on. has must have said that it may be looked up.
func (r *refusals) add(place netip.AddrPort, now time.Time) {
	oldest := 0
	for i := range r {
		if r[i].until.Before(r[oldest].until) {
			oldest = i
		}
	}
	r[oldest] = refusal{place, now.Add(refusedFor)}
}
