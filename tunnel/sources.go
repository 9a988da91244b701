package tunnel

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

const (
	// sourceEvery is how often one source may send an initiation, and sourceBurst
	// how many at once: enough for many peers behind one NAT.
	sourceEvery = 20 * time.Millisecond
	sourceBurst = 50
	// sourceSets and sourceWays are the size of the table: it knows as many
	// sources as their product.
	sourceSets, sourceWays = 256, 8
)

// source is what one sender is taken to hold: an IPv4 address, or an IPv6 /64,
// whose addresses anyone in it can choose.
type source struct {
	prefix uint64
	family uint8 // 0: no source
}

func sourceOf(a netip.Addr) source {
	if a = a.Unmap(); a.Is4() {
		b := a.As4()
		return source{uint64(binary.BigEndian.Uint32(b[:])), 4}
	}
	b := a.As16()
	return source{binary.BigEndian.Uint64(b[:]), 6}
}

// sources limits the initiations of each source. It is a table of fixed size. A
// keyed hash finds the set of a source, so that no sender can choose whom it
// shares one with. A source whose bucket is full need not be remembered: the one
// whose bucket is fullest makes room for another. Any goroutine may use it.
type sources struct {
	seed maphash.Seed

	mu   sync.Mutex // guards what follows
	sets [sourceSets][sourceWays]sourceLimit
}

type sourceLimit struct {
	source source
	bucket bucket
}

func newSources() *sources { return &sources{seed: maphash.MakeSeed()} }

// allow reports whether a sender, which has proved its address, may send one more
// initiation now.
func (s *sources) allow(from netip.Addr, now time.Time) bool {
	of := sourceOf(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(of).take(sourceEvery, sourceBurst, now)
}

// drained reports whether a source has sent all that it may for now. Only messages
// with a proof of their address bring a source that far.
func (s *sources) drained(from netip.Addr, now time.Time) bool {
	of := sourceOf(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.set(of)
	for i := range set {
		if e := &set[i]; e.source == of {
			return e.bucket.empty(sourceEvery, sourceBurst, now)
		}
	}
	return false
}

// set returns the entries of the table in which a source may be.
func (s *sources) set(of source) *[sourceWays]sourceLimit {
	return &s.sets[maphash.Comparable(s.seed, of)%sourceSets]
}

// find returns the bucket of a source: a full one if it is not in the table.
func (s *sources) find(of source) *bucket {
	set := s.set(of)
	fullest := &set[0]
	for i := range set {
		e := &set[i]
		switch {
		case e.source == of:
			return &e.bucket
		case fullest.source.family == 0:
		case e.source.family == 0 || e.bucket.full.Load() < fullest.bucket.full.Load():
			fullest = e
		}
	}
	fullest.source = of
	fullest.bucket.full.Store(0)
	return &fullest.bucket
}
