package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// manyPeers is from how many peers on they keep the tunnel busy for seconds when all of
	// them call at once.
	manyPeers = 64
	// hubGCPercent is the garbage that a hub keeps, in percent of what it needs. Most of that is
	// the state of peers at rest, and packets leave no garbage, so a smaller share than Go's 100
	// costs little CPU time.
	hubGCPercent = 75
	// busyGoroutines are the control goroutine and the opener of initiations.
	busyGoroutines = 2
)

// prepareFor prepares the Go runtime for a number of peers. While many call, two goroutines
// have a processor of Go's each for themselves. The packet loops then need others: without
// them a packet waits until the runtime looks at the network by itself, which takes up to 10 ms.
// The kernel lets those wait that have had most of the CPU time. Not so where a quota bounds
// it, which Go knows: there the kernel stops all of a process that has used it up, so that it
// must not use more at a time. What the environment says goes first.
func prepareFor(peers int) {
	if peers < manyPeers {
		return
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processorsOfHub(runtime.GOMAXPROCS(0), runtime.NumCPU()))
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(hubGCPercent)
	}
}

// processorsOfHub returns how many processors of Go's a hub has that would have some by
// default, on a machine that gives it a number of CPUs.
func processorsOfHub(byDefault, cpus int) int {
	if byDefault < cpus { // a quota
		return byDefault
	}
	return byDefault + busyGoroutines
}
