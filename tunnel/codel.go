package tunnel

import (
	"math"
	"time"
)

// codelInterval is how long a queue may take to empty once: a round trip of
// a far path, in which TCP can answer (RFC 8289 section 4.3).
const codelInterval = 100 * time.Millisecond

// codel is CoDel (RFC 8289) without sojourn times, which a TUN device does not
// report: a queue stands if it has not emptied for an interval in which the
// socket was full.
//
// It keeps the device's queue short where the socket limits the tunnel. While
// the socket is full the transmitter does not read the device. TCP then fills
// the device's queue, up to megabytes, and all other packets through the tunnel
// wait behind that. codel says which packets to mark or to drop: one, and more
// of them while that does not help. The zero value is an empty queue. One
// transmitter owns it.
type codel struct {
	since       time.Time // since when it has not been empty, zero: it is of no concern
	full        time.Time // when the socket was last full
	next        time.Time // when the next packet is due
	count, last int       // of packets since it began to stand, and at the beginning
	ended       time.Time // when it last ceased to
}

// blocked tells that the socket had no room.
func (q *codel) blocked(now time.Time) {
	q.full = now
	if q.since.IsZero() {
		q.since, q.next = now, now.Add(codelInterval)
	}
}

// empty tells that the device has no packet.
func (q *codel) empty() {
	if q.watched() && !q.beginning() {
		q.ended = q.next
	}
	q.since = time.Time{}
}

// watched says whether due has to be asked.
func (q *codel) watched() bool { return !q.since.IsZero() }

// beginning says that no packet has been due since the queue was empty.
func (q *codel) beginning() bool { return q.next.Equal(q.since.Add(codelInterval)) }

// due reports whether the packet that was read now is to be marked or dropped.
func (q *codel) due(now time.Time) bool {
	switch {
	case now.Before(q.next):
		return false
	case now.Sub(q.full) > codelInterval:
		q.empty() // it stands for another reason
		return false
	case q.beginning():
		// The pseudocode of RFC 8289, section 5: what has helped a moment ago is
		// gone on with.
		before := q.count - q.last
		q.count = 1
		if before > 1 && now.Sub(q.ended) < 16*codelInterval {
			q.count = before
		}
		q.last = q.count
	default:
		q.count++
	}
	q.next = now.Add(time.Duration(float64(codelInterval) / math.Sqrt(float64(q.count))))
	return true
}
