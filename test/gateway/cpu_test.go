//go:build linux

package gateway

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

const noProcess = 1<<22 + 1 // Linux has no greater number than 1<<22

// TestTheCPUTimeOfAProcess is between two looks of the process at its own.
func TestTheCPUTimeOfAProcess(t *testing.T) {
	own := func() (at unix.Timespec) {
		if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	before := own()
	used, err := CPU(os.Getpid())
	after := own()
	if err != nil || used.Nanoseconds() < before.Nano() || used.Nanoseconds() > after.Nano() {
		t.Errorf("%v, %v: not between %d and %d ns", used, err, before.Nano(), after.Nano())
	}
	if _, err := CPU(noProcess); err == nil {
		t.Error("a process that is none has CPU time")
	}
}

func TestTheMemoryOfAProcess(t *testing.T) {
	peak, err := PeakMemory(os.Getpid())
	if err != nil || peak < 1<<20 {
		t.Errorf("the peak is %d bytes, %v", peak, err)
	}
	if _, err := PeakMemory(noProcess); err == nil {
		t.Error("a process that is none has memory")
	}
}
