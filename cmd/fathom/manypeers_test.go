package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

// TestAHubGetsMoreProcessors and keeps less garbage, unless the environment says otherwise.
func TestAHubGetsMoreProcessors(t *testing.T) {
	before, processors := runtime.GOMAXPROCS(0), runtime.NumCPU()
	percent := debug.SetGCPercent(100)
	defer func() { runtime.GOMAXPROCS(before); debug.SetGCPercent(percent) }()
	for _, test := range []struct {
		name           string
		peers          int
		processors, gc string // of the environment
		more, percent  int
	}{
		{"two hosts", 1, "", "", 0, 100},
		{"few peers", manyPeers - 1, "", "", 0, 100},
		{"a hub", manyPeers, "", "", busyGoroutines, hubGCPercent},
		{"processors are given", 10000, "2", "", 0, hubGCPercent},
		{"the garbage is given", 10000, "", "off", busyGoroutines, 100},
	} {
		for name, value := range map[string]string{"GOMAXPROCS": test.processors, "GOGC": test.gc} {
			t.Setenv(name, value)
			if value == "" {
				os.Unsetenv(name)
			}
		}
		runtime.GOMAXPROCS(processors)
		debug.SetGCPercent(100)
		prepareFor(test.peers)
		if more, is := runtime.GOMAXPROCS(0)-processors, debug.SetGCPercent(100); more != test.more || is != test.percent {
			t.Errorf("%s: %d processors more, want %d; %d percent, want %d", test.name, more, test.more, is, test.percent)
		}
	}
}

// TestAQuotaIsNotExceeded: a hub that has fewer processors than there are CPUs gets no more.
func TestAQuotaIsNotExceeded(t *testing.T) {
	for _, test := range []struct{ byDefault, cpus, want int }{
		{2, 2, 2 + busyGoroutines}, {64, 64, 64 + busyGoroutines}, {2, 4, 2}, {2, 1, 2 + busyGoroutines},
	} {
		if got := processorsOfHub(test.byDefault, test.cpus); got != test.want {
			t.Errorf("%d of %d: %d, want %d", test.byDefault, test.cpus, got, test.want)
		}
	}
}
