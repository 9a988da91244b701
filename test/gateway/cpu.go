//go:build linux

package gateway

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the CPU time that the tunnel's process has used so far.
func (g *Gateway) CPU() (time.Duration, error) { return CPU(g.Pid()) }

// CPU returns the CPU time that a process has used so far, to the nanosecond.
func CPU(pid int) (time.Duration, error) {
	const used = 2 // CPUCLOCK_SCHED: see clock_getcpuclockid(3)
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|used), &t); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}
