package tunnel

import (
	"sync"
	"sync/atomic"
	"time"

	"fathom/tunnel/inner"
	"fathom/tunnel/udp"
)

// outletQueue is CoDel for what waits behind this host's socket for one peer, where
// that has an outlet of its own: a queue stands if more than half of the outlet has
// been in use for an interval. The zero value is an empty queue. Any transmitter
// may use it.
type outletQueue struct {
	watched atomic.Bool // whether codel has to be asked

	mu    sync.Mutex // guards what follows
	codel codel
}

// slowDown reports whether a packet to the peer, or a piece of it, is to be dropped
// since the queue stands. One that can be marked as congested is marked instead.
func (q *outletQueue) slowDown(pressure udp.Pressure, packet *inner.Packet) (drop bool) {
	if pressure == udp.Roomy && !q.watched.Load() {
		return false
	}
	return q.due(pressure, time.Now()) && !inner.MarkCongestion(packet)
}

// due reports whether the packet that is sent now is to be marked or dropped. Of
// transmitters that ask at the same time one gets an answer; none waits.
func (q *outletQueue) due(pressure udp.Pressure, now time.Time) bool {
	if !q.mu.TryLock() {
		return false
	}
	defer q.mu.Unlock()
	if pressure == udp.Roomy {
		q.codel.empty()
	} else {
		q.codel.blocked(now)
	}
	due := q.codel.watched() && q.codel.due(now)
	q.watched.Store(q.codel.watched())
	return due
}
