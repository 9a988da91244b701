//go:build linux

package gateway

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Memory returns the memory that the tunnel's process has to itself now, in bytes: what
// is resident of it and not of a file (RssAnon).
func (g *Gateway) Memory() (int64, error) {
	kiB, err := processStatus(g.Pid(), "RssAnon")
	return int64(kiB) << 10, err
}

// PeakMemory returns the most memory of all kinds, in bytes, that was ever resident of a
// process (VmHWM).
func PeakMemory(pid int) (int64, error) {
	kiB, err := processStatus(pid, "VmHWM")
	return int64(kiB) << 10, err
}

// processStatus returns a number of /proc/PID/status.
func processStatus(pid int, name string) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("memory: %w", err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+name+":")
	value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.Atoi(value)
	if !found || err != nil {
		return 0, fmt.Errorf("memory: process %d has no %s", pid, name) // it has ended
	}
	return n, nil
}
