package tunnel

import (
	"testing"
	"time"

	"fathom/tunnel/udp"
)

// TestACrowdedOutletIsAStandingQueue: after the interval packets are due, ever
// faster, until it is roomy again.
func TestACrowdedOutletIsAStandingQueue(t *testing.T) {
	for _, test := range []struct {
		name     string
		pressure func(at time.Duration) udp.Pressure
		least    int
		most     int
	}{
		{"roomy", func(time.Duration) udp.Pressure { return udp.Roomy }, 0, 0},
		{"crowded", func(time.Duration) udp.Pressure { return udp.Crowded }, 9, 11},
		{"full", func(time.Duration) udp.Pressure { return udp.Full }, 9, 11},
		{"roomy now and then", func(at time.Duration) udp.Pressure {
			if at%(codelInterval-time.Millisecond) == 0 {
				return udp.Roomy
			}
			return udp.Crowded
		}, 0, 0},
		{"crowded for a while", func(at time.Duration) udp.Pressure {
			if at < 3*codelInterval/2 {
				return udp.Crowded
			}
			return udp.Roomy
		}, 1, 1},
	} {
		var q outletQueue
		due, began := 0, time.Unix(1, 0)
		for at := time.Duration(0); at < 6*codelInterval; at += time.Millisecond {
			if q.due(test.pressure(at), began.Add(at)) {
				due++
			}
		}
		if due < test.least || due > test.most {
			t.Errorf("%s: %d packets are due, want %d to %d", test.name, due, test.least, test.most)
		}
		if q.watched.Load() != (test.pressure(6*codelInterval-time.Millisecond) != udp.Roomy) {
			t.Errorf("%s: watched %v at the end", test.name, q.watched.Load())
		}
	}
}
