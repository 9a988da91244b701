package paths

import "time"

const (
	// strangersPerSecond bounds the challenges to all places of a peer that were
	// never proved, however many it names.
	strangersPerSecond = 10
	strangersBurst     = 10
)

// A budget bounds how often something happens: a token bucket. The zero value is
// full.
type budget struct {
	full time.Time // when all is there again
}

// at returns when it is allowed next; it may be long ago.
func (b *budget) at() time.Time {
	return b.full.Add(-(strangersBurst - 1) * time.Second / strangersPerSecond)
}

// take takes what at has allowed.
func (b *budget) take(now time.Time) {
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(time.Second / strangersPerSecond)
}
