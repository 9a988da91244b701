package tunnel

import (
	"testing"
	"time"
)

// TestAQueueThatEmptiesIsLeftAlone, and so is one that nobody limits.
func TestAQueueThatEmptiesIsLeftAlone(t *testing.T) {
	var q standingQueue
	now := time.Unix(1, 0)
	for range 1000 {
		q.full(now)
		for range 9 {
			now = now.Add(standingInterval / 10)
			if q.watched() && q.due(now) {
				t.Fatal("a packet is due")
			}
		}
		q.empty()
		if q.watched() {
			t.Fatal("watched")
		}
		now = now.Add(standingInterval)
	}
}

// TestAStandingQueueLosesPackets ever faster, at the rate of CoDel, and goes on
// with that when it is back soon.
func TestAStandingQueueLosesPackets(t *testing.T) {
	var q standingQueue
	now := time.Unix(1, 0)
	stand := func(length time.Duration) (times []time.Duration) {
		q.full(now)
		for began := now; now.Sub(began) < length; now = now.Add(time.Millisecond) {
			if q.due(now) {
				times = append(times, now.Sub(began))
			}
		}
		q.empty()
		return times
	}
	// After the interval; then after interval/√1, interval/√2, …
	first := stand(6 * standingInterval)
	want := []time.Duration{100, 200, 271, 329, 379, 424, 465, 503, 539, 573}
	if len(first) != len(want) {
		t.Fatalf("%v", first)
	}
	for i, at := range first {
		if d := at - want[i]*time.Millisecond; d < 0 || d > 10*time.Millisecond {
			t.Errorf("packet %d after %v, want %v ms", i, at, int(want[i]))
		}
	}
	now = now.Add(standingInterval)
	if again := stand(2 * standingInterval); len(again) < 3 {
		t.Errorf("back soon, only %v", again)
	}
	now = now.Add(100 * standingInterval)
	if later := stand(2 * standingInterval); len(later) != 1 && len(later) != 2 {
		t.Errorf("much later, %v", later)
	}
}
