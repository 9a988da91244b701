//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// cpuSeconds is the CPU time that processes have used so far.
func cpuSeconds(pids []int) (sum float64, err error) {
	const ticks = 100 // USER_HZ of Linux
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, fmt.Errorf("CPU time: %w", err)
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, f := range fields[11:13] { // utime, stime
			n, err := strconv.ParseFloat(f, 64)
			if err != nil {
				return 0, fmt.Errorf("CPU time: %w", err)
			}
			sum += n / ticks
		}
	}
	return sum, nil
}

// peakMemory is the largest resident set that any of the processes has had so
// far, in MiB.
func peakMemory(pids []int) (peak float64, err error) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, fmt.Errorf("memory: %w", err)
		}
		_, rest, found := strings.Cut(string(text), "\nVmHWM:")
		value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		kib, err := strconv.ParseFloat(value, 64)
		if !found || err != nil {
			return 0, fmt.Errorf("memory: process %d has no VmHWM", pid) // it has ended
		}
		peak = max(peak, kib/1024)
	}
	return peak, nil
}
