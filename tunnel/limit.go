package tunnel

import (
	"sync/atomic"
	"time"
)

// limit lets through one event an interval, and up to burst at once after a rest:
// a token bucket. Any goroutine may ask it.
type limit struct {
	interval time.Duration
	burst    int // 0 is 1
	bucket   bucket
}

// bucket is the level of a token bucket: when it will be full again, as a time
// since limitEpoch. The zero value is full.
type bucket struct{ full atomic.Int64 }

// limitEpoch carries a reading of the monotonic clock, by which all limits
// measure: a step of the wall clock must neither close nor open them.
var limitEpoch = time.Now()

func (l *limit) allow(now time.Time) bool { return l.bucket.take(l.interval, l.burst, now) }

// take takes a token, of which the bucket holds up to burst and gets one an
// interval. It reports whether there was one.
func (b *bucket) take(interval time.Duration, burst int, now time.Time) bool {
	for {
		full := b.full.Load()
		next, ok := after(full, interval, burst, now)
		if !ok {
			return false
		}
		if b.full.CompareAndSwap(full, next) {
			return true
		}
	}
}

// empty reports whether take would find no token.
func (b *bucket) empty(interval time.Duration, burst int, now time.Time) bool {
	_, ok := after(b.full.Load(), interval, burst, now)
	return !ok
}

// after returns when a bucket will be full that would be so at full, if a token is
// taken from it. Not ok means that it has none.
func after(full int64, interval time.Duration, burst int, now time.Time) (next int64, ok bool) {
	since := int64(now.Sub(limitEpoch))
	next = since
	if full != 0 {
		next = max(next, full)
	}
	next += int64(interval)
	if next == 0 {
		next = 1 // 0 says that no token was ever taken
	}
	return next, next-since <= int64(interval)*int64(max(burst, 1))
}
