package udp

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// An interface whose far end takes less than it says itself, or a firewall of the host,
// refuses whatever is large enough, and each refusal is a system call for nothing. So
// after a few refusals in a row the size rests: data as large as that is lost without
// being tried. It is tried again after ever longer rests, until it is taken or the sizes
// of the path are known better.
const (
	// refusalsInARow is how many it takes. A queue that is full, or a firewall that lets
	// pass so many, takes something in between.
	refusalsInARow = 3
	// restFactor is how much longer a rest is than the row has lasted before it. That is
	// how a full queue is not taken for a size: if it has taken nothing for a while, no
	// more than a few datagrams leave it during the rest, and it does not run empty.
	restFactor = 4
	// A rest lasts at least minRest and at most maxRest. So there are eleven trials in
	// the first second, and four in each that follows.
	minRest = 200 * time.Microsecond
	maxRest = 250 * time.Millisecond
	// A row is forgotten if it does not go on for so long.
	forgetRow = time.Second
)

// refusedSize knows which size of data to a destination rests. Any number of goroutines
// may use it. It takes a lock only for a datagram of a size that has been refused.
type refusedSize struct {
	from atomic.Int64 // the row's size, 0: there is none

	mu  sync.Mutex
	row refusedRow
}

// refused takes note that the kernel has refused a datagram of size bytes, and why.
func (r *refusedSize) refused(size int, tos uint8, why error, now time.Duration) {
	if !dependsOnSize(why) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.row.refused(size, tos, why, now)
	r.from.Store(int64(r.row.size))
}

// taken takes note that the kernel has taken one.
func (r *refusedSize) taken(size int, tos uint8) {
	if !r.concerns(size) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.row.taken(size, tos)
	r.from.Store(int64(r.row.size))
}

// try returns why a datagram is not to be tried now; nil: it is. After a rest one is,
// and no other before the kernel has answered.
func (r *refusedSize) try(size int, tos uint8, now time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.row.try(size, tos, now)
}

// concerns reports whether datagrams of a size may rest.
func (r *refusedSize) concerns(size int) bool {
	from := r.from.Load()
	return from > 0 && int64(size) >= from
}

// dependsOnSize reports whether smaller datagrams may be taken where one was refused.
func dependsOnSize(why error) bool {
	return why == ErrTooBig || why == ErrNoBuffers || why == syscall.EPERM
}

// refusedRow is refusals in a row: no datagram as large has been taken in between. Pure;
// the zero value is none.
type refusedRow struct {
	size    int   // of the smallest of them, in bytes
	tos     uint8 // theirs, unless mixed
	mixed   bool  // they are of several classes
	count   int
	tooBig  bool          // the kernel has said that it is the size
	first   time.Duration // when they began
	last    time.Duration
	resting time.Duration // until when
}

func (r *refusedRow) refused(size int, tos uint8, why error, now time.Duration) {
	if r.count == 0 || now-r.last > forgetRow {
		*r = refusedRow{size: size, tos: tos, first: now}
	}
	r.size = min(r.size, size)
	r.mixed = r.mixed || tos != r.tos
	r.tooBig = why == ErrTooBig
	r.count++
	r.last = now
	if r.rests() {
		r.resting = now + min(max(restFactor*(now-r.first), minRest), maxRest)
	}
}

func (r *refusedRow) taken(size int, tos uint8) {
	if r.concerns(size, tos) {
		*r = refusedRow{}
	}
}

func (r *refusedRow) try(size int, tos uint8, now time.Duration) error {
	switch {
	case !r.concerns(size, tos) || !r.rests():
		return nil
	case now >= r.resting:
		r.resting = now + minRest // the answer comes before
		return nil
	case r.tooBig:
		return ErrTooBig
	}
	return ErrNotTried
}

// rests reports whether the row is long enough for rests.
func (r *refusedRow) rests() bool { return r.tooBig || r.count >= refusalsInARow }

// concerns reports whether a datagram would have been refused as those of the row were.
func (r *refusedRow) concerns(size int, tos uint8) bool {
	return r.count > 0 && size >= r.size && (r.mixed || tos == r.tos)
}
