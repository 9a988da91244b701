package tunnel

import (
	"time"

	"golang.org/x/sys/unix"
)

// asleep returns for how long the host has slept since it was booted: Go's monotonic
// clock stands still meanwhile.
func asleep() time.Duration {
	var boot, running unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &running) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - running.Nano()).Round(time.Millisecond)
}
