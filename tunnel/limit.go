package tunnel

import (
	"sync/atomic"
	"time"
)

// limit lets through one event an interval. Any goroutine may ask it.
type limit struct {
	interval time.Duration
	next     atomic.Int64 // nanoseconds since limitEpoch; 0: now
}

// limitEpoch carries a reading of the monotonic clock, by which all limits
// measure: a step of the wall clock must neither close nor open them.
var limitEpoch = time.Now()

func (l *limit) allow(now time.Time) bool {
	since, next := now.Sub(limitEpoch), l.next.Load()
	return (next == 0 || int64(since) >= next) && l.next.CompareAndSwap(next, int64(since+l.interval))
}
