package clock

import (
	"time"
	"unsafe"
)

// Set returns the time at which the wall clock has been set forward by d, in whole
// seconds, and the monotonic clock has not noticed. The time must have both
// readings, as those of time.Now have, and the wall clock must stay between the
// years 1885 and 2157.
func Set(at time.Time, d time.Duration) time.Time {
	// The first word of a time.Time with both readings: a flag, the seconds of
	// the wall clock, and below them 30 bits of nanoseconds.
	*(*uint64)(unsafe.Pointer(&at)) += uint64(d/time.Second) << 30
	return at
}
