package tunnel

import (
	"sync/atomic"
	"time"
)

// limit lets through one event an interval. Any goroutine may ask it.
type limit struct {
	interval time.Duration
	next     atomic.Int64 // nanoseconds of the Unix epoch
}

func (l *limit) allow(now time.Time) bool {
	next := l.next.Load()
	return now.UnixNano() >= next && l.next.CompareAndSwap(next, now.Add(l.interval).UnixNano())
}
