package tunnel

import (
	"testing"
	"time"
)

// stand lets a queue stand, by a socket that is always full, and returns when
// packets were due.
func (q *codel) stand(began time.Time, length time.Duration) (due []time.Duration) {
	for at := time.Duration(0); at < length; at += time.Millisecond {
		q.blocked(began.Add(at))
		if q.due(began.Add(at)) {
			due = append(due, at)
		}
	}
	q.empty()
	return due
}

// TestAQueueThatEmptiesIsLeftAlone: no packet waits in it for long.
func TestAQueueThatEmptiesIsLeftAlone(t *testing.T) {
	var q codel
	now := time.Unix(1, 0)
	for range 1000 {
		if due := q.stand(now, codelInterval-time.Millisecond); len(due) > 0 || q.watched() {
			t.Fatalf("packets are due after %v, watched: %v", due, q.watched())
		}
		now = now.Add(2 * codelInterval)
	}
}

// TestAQueueThatNoSocketHoldsUpIsLeftAlone, though the socket was full when it
// began.
func TestAQueueThatNoSocketHoldsUpIsLeftAlone(t *testing.T) {
	var q codel
	now := time.Unix(1, 0)
	q.blocked(now)
	due := 0
	for range 10_000 {
		now = now.Add(time.Millisecond)
		if q.watched() && q.due(now) {
			due++
		}
	}
	if due > 1 || q.watched() {
		t.Errorf("%d packets are due; still watched: %v", due, q.watched())
	}
}

// TestAStandingQueueLosesPackets after the interval, then after interval/√1,
// interval/√2, …
func TestAStandingQueueLosesPackets(t *testing.T) {
	var q codel
	due := q.stand(time.Unix(1, 0), 6*codelInterval)
	want := []time.Duration{100, 200, 271, 329, 379, 424, 465, 503, 539, 573}
	if len(due) != len(want) {
		t.Fatalf("%v", due)
	}
	for i, at := range due {
		if d := at - want[i]*time.Millisecond; d < 0 || d > 10*time.Millisecond {
			t.Errorf("packet %d after %v, want %v ms", i, at, int(want[i]))
		}
	}
}

// TestAQueueThatStandsAgain: soon after, the loss goes on at the pace that helped,
// once. Much later it begins anew, however often the socket was full meanwhile.
func TestAQueueThatStandsAgain(t *testing.T) {
	var q codel
	now := time.Unix(1, 0)
	q.stand(now, 10*time.Second)
	if again := q.stand(now.Add(11*time.Second), 3*codelInterval); len(again) < 10 {
		t.Errorf("soon, only %v", again)
	}
	now = now.Add(20 * time.Second)
	for range 600 {
		q.stand(now, time.Millisecond)
		now = now.Add(time.Second)
	}
	if later := q.stand(now, 2*codelInterval); len(later) != 1 {
		t.Errorf("much later, %v", later)
	}
	for range 60 {
		now = now.Add(10 * codelInterval)
		q.stand(now, 3*codelInterval)
	}
	if q.count > 10 {
		t.Errorf("it remembers more with every time: %d", q.count)
	}
}
