package tunnel

import (
	"math"
	"time"
)

// standingInterval is how long a queue may take to empty once: a round trip of
// a far path, in which TCP can answer (RFC 8289 section 4.3).
const standingInterval = 100 * time.Millisecond

// standingQueue keeps the device's queue short where the socket is what limits
// the tunnel. While the socket is full the device is not read, so TCP behind it
// fills the device's queue, up to megabytes, and whatever else goes through the
// tunnel waits behind that. standingQueue is CoDel (RFC 8289), but for one
// thing: how long packets have waited in the device nobody tells, so a queue
// counts as standing when it has not been empty for the interval. It then says
// which packets to mark or to drop: one, and more of them as long as that does
// not help. The zero value is an empty queue. One transmitter owns it.
type standingQueue struct {
	since time.Time // since when it has not been empty, zero: it is of no concern
	next  time.Time // when the next packet is due
	count int       // since the queue began to stand
	ended time.Time // when it last ceased to
}

// full tells that the socket had no room.
func (q *standingQueue) full(now time.Time) {
	if q.since.IsZero() {
		q.since, q.next = now, now.Add(standingInterval)
	}
}

// empty tells that the device has no packet.
func (q *standingQueue) empty() {
	if q.since.IsZero() {
		return
	}
	if q.count > 0 {
		q.ended = q.next
	}
	q.since = time.Time{}
}

// watched says whether due has to be asked.
func (q *standingQueue) watched() bool { return !q.since.IsZero() }

// due reports whether the packet that was read now is to be marked or dropped.
func (q *standingQueue) due(now time.Time) bool {
	if now.Before(q.next) {
		return false
	}
	if begins := q.since.Add(standingInterval); q.next.Equal(begins) {
		// RFC 8289 section 5.4: what has helped a moment ago is gone on with.
		if q.count > 2 && !q.ended.IsZero() && now.Sub(q.ended) < 16*standingInterval {
			q.count -= 2
		} else {
			q.count = 0
		}
	}
	q.count++
	q.next = now.Add(time.Duration(float64(standingInterval) / math.Sqrt(float64(q.count))))
	return true
}
