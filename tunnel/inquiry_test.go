package tunnel

import (
	"testing"
	"time"
)

func TestInquiries(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	var i inquiries
	if ask, call := i.look(false, start); ask || call || i.waiting() {
		t.Fatal("a peer is asked that nobody waits for")
	}
	first := &inquiry{began: start, done: make(chan time.Duration, 1)}
	i.add(first)
	for _, step := range []struct {
		at        time.Duration
		answers   bool
		ask, call bool
	}{
		{0, false, true, true},
		{0, false, false, false},
		{askEvery - 1, false, false, false},
		{askEvery, false, true, false}, // it was called a moment ago
		{callEvery, false, true, true},
		{2 * callEvery, true, true, false}, // it answers
	} {
		if ask, call := i.look(step.answers, at(step.at)); ask != step.ask || call != step.call {
			t.Errorf("after %v: ask %v, call %v", step.at, ask, call)
		}
	}

	second := &inquiry{began: at(20 * time.Second), done: make(chan time.Duration, 1)}
	i.add(second)
	if ask, _ := i.look(true, second.began); !ask {
		t.Error("the second inquiry waits for the echo of the first")
	}
	i.answered(second.began.Add(-1), time.Minute)
	if len(first.done) != 1 || len(second.done) != 0 {
		t.Error("an echo from before the second inquiry ends it, or not the first")
	}
	i.answered(second.began, time.Second)
	if len(second.done) != 1 || <-second.done != time.Second || i.waiting() {
		t.Error("the second inquiry is not answered")
	}
	third := &inquiry{began: at(time.Minute), done: make(chan time.Duration, 1)}
	i.add(third)
	i.remove(third)
	i.answered(third.began, 0)
	if i.waiting() || len(third.done) != 0 {
		t.Error("an inquiry that has ended is answered")
	}
}
