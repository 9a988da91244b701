//go:build linux

package main

import (
	"testing"
	"time"
)

// TestArrivalsAreReadRight: a megabyte every 10 ms for a second, then nothing
// for 300 ms, then half of that.
func TestArrivalsAreReadRight(t *testing.T) {
	const tick = 10 * time.Millisecond
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	var tr transfer
	for now := tick; now <= 2*time.Second; now += tick {
		switch {
		case now <= time.Second:
			tr.arrivals = append(tr.arrivals, arrival{start.Add(now), 1e6})
		case now > 1300*time.Millisecond:
			tr.arrivals = append(tr.arrivals, arrival{start.Add(now), 0.5e6})
		}
	}
	if got := tr.rate(at(0), at(1000)); got != 8e8 {
		t.Errorf("%v bit/s before", got)
	}
	if got := tr.rate(at(1500), at(2000)); got != 4e8 {
		t.Errorf("%v bit/s after", got)
	}
	if got, want := tr.longestGap(at(0), at(2000)), 310*time.Millisecond; got != want {
		t.Errorf("a gap of %v, want %v", got, want)
	}
	if got, want := tr.longestGap(at(500), at(1200)), 200*time.Millisecond; got != want {
		t.Errorf("a gap of %v up to the end, want %v", got, want)
	}
	if got, want := tr.backAfter(at(1000), at(2000), 4e8), 400*time.Millisecond; got != want {
		t.Errorf("back after %v, want %v", got, want)
	}
	if got, want := tr.backAfter(at(1000), at(2000), 5e8), time.Second; got != want {
		t.Errorf("never back: %v, want %v", got, want)
	}
}
