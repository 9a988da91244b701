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
// counts as standing when it has not been empty for the interval, in which the
// socket was full. It then says which packets to mark or to drop: one, and more
// of them as long as that does not help. The zero value is an empty queue. One
// transmitter owns it.
type standingQueue struct {
	since       time.Time // since when it has not been empty, zero: it is of no concern
	full        time.Time // when the socket was last full
	next        time.Time // when the next packet is due
	count, last int       // of packets since it began to stand, and at the beginning
	ended       time.Time // when it last ceased to
}

// blocked tells that the socket had no room.
func (q *standingQueue) blocked(now time.Time) {
	q.full = now
	if q.since.IsZero() {
		q.since, q.next = now, now.Add(standingInterval)
	}
}

// empty tells that the device has no packet.
func (q *standingQueue) empty() {
	if q.watched() && !q.beginning() {
		q.ended = q.next
	}
	q.since = time.Time{}
}

// watched says whether due has to be asked.
func (q *standingQueue) watched() bool { return !q.since.IsZero() }

// beginning says that no packet has been due since the queue was empty.
func (q *standingQueue) beginning() bool { return q.next.Equal(q.since.Add(standingInterval)) }

// due reports whether the packet that was read now is to be marked or dropped.
func (q *standingQueue) due(now time.Time) bool {
	switch {
	case now.Before(q.next):
		return false
	case now.Sub(q.full) > standingInterval:
		q.empty() // it stands for another reason
		return false
	case q.beginning():
		// The pseudocode of RFC 8289, section 5: what has helped a moment ago is
		// gone on with.
		before := q.count - q.last
		q.count = 1
		if before > 1 && now.Sub(q.ended) < 16*standingInterval {
			q.count = before
		}
		q.last = q.count
	default:
		q.count++
	}
	q.next = now.Add(time.Duration(float64(standingInterval) / math.Sqrt(float64(q.count))))
	return true
}
