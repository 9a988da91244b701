package paths

import (
	"net/netip"
	"time"
)

const (
	// strangeEvery is the least time from one challenge to the next to a place that
	// was never proved.
	strangeEvery = time.Second
	// strangersPerSecond, and as many at once, bound the challenges to all such
	// places of a peer, however many it names.
	strangersPerSecond = 10
)

// strangers bounds the challenges to places that were never proved, by a token
// bucket, and by the last time for each place. The zero value has sent none.
type strangers struct {
	full time.Time // when the bucket is full again
	// last holds the last rememberedStrangers.
	last []stranger
	next int // the entry that the next one replaces, when there are so many
}

// rememberedStrangers is as many as may leave within strangeEvery. So none is forgotten
// too early, whichever paths come and go.
const rememberedStrangers = 2 * strangersPerSecond

// stranger is a challenge to a place that was never proved.
type stranger struct {
	place netip.AddrPort
	at    time.Time
}

// at returns when a place may be challenged; it may be long ago.
func (s *strangers) at(place netip.AddrPort) time.Time {
	at := s.full.Add(-(strangersPerSecond - 1) * time.Second / strangersPerSecond)
	for i := range s.last {
		if again := s.last[i].at.Add(strangeEvery); s.last[i].place == place && again.After(at) {
			at = again
		}
	}
	return at
}

// ask notes a challenge that leaves now.
func (s *strangers) ask(place netip.AddrPort, now time.Time) {
	if s.full.Before(now) {
		s.full = now
	}
	s.full = s.full.Add(time.Second / strangersPerSecond)
	if len(s.last) < rememberedStrangers {
		s.last = append(s.last, stranger{place, now})
		return
	}
	s.last[s.next] = stranger{place, now}
	s.next = (s.next + 1) % rememberedStrangers
}
