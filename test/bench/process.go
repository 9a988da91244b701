package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// cpuSeconds is the CPU time that processes have used so far.
func cpuSeconds(pids []int) (sum float64) {
	const ticks = 100 // USER_HZ of Linux
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, f := range fields[11:13] { // utime, stime
			n, _ := strconv.ParseFloat(f, 64)
			sum += n / ticks
		}
	}
	return sum
}

// peakMemory is the largest resident set that any of the processes has had so
// far, in MiB.
func peakMemory(pids []int) (peak float64) {
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kib, _ := strconv.ParseFloat(strings.Fields(value)[0], 64)
				peak = max(peak, kib/1024)
			}
		}
	}
	return peak
}
