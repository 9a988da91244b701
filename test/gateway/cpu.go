//go:build linux

package gateway

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// CPU returns the CPU time that the tunnel's process has used so far.
func (g *Gateway) CPU() (time.Duration, error) { return CPU(g.Pid()) }

// CPU returns the CPU time that a process has used so far, in steps of 10 ms.
func CPU(pid int) (sum time.Duration, err error) {
	const tick = time.Second / 100 // USER_HZ of Linux
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("CPU time: %w", err)
	}
	// The second field, the name, may hold blanks and brackets.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(string(f))
		if err != nil {
			return 0, fmt.Errorf("CPU time: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}
