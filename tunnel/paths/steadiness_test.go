package paths

import (
	"testing"
	"time"
)

func TestWhenAPairIsReliable(t *testing.T) {
	s := new(steadiness)
	now := epoch
	answer := func(n int, apart time.Duration) {
		for range n {
			s.answer(false, now)
			now = now.Add(apart)
		}
	}
	if answer(enoughAnswers-1, 10*time.Second); s.reliable(now) {
		t.Error("too few answers")
	}
	if answer(1, 0); !s.reliable(now) {
		t.Error("not after five answers in 40 s")
	}
	s.broken()
	if answer(enoughAnswers, time.Second); s.reliable(now) {
		t.Error("too early after a lost answer")
	}
	for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, holdLimit, holdLimit} {
		s.chosen = now
		s.left(now.Add(relapse))
		if s.broken(); s.hold != want {
			t.Fatalf("the wait is %v, want %v", s.hold, want)
		}
		since := now
		answer(enoughAnswers, time.Second)
		if s.reliable(since.Add(want-1)) || !s.reliable(since.Add(want)) {
			t.Fatalf("a wait of %v is not kept", want)
		}
	}
	s.chosen = now
	if s.left(now.Add(relapse + 1)); s.hold != holdLimit {
		t.Errorf("the wait is %v after a short use", s.hold)
	}
	s.chosen = now
	if s.left(now.Add(holdLimit + 1)); s.hold != holdFirst {
		t.Errorf("the wait is %v after a long use", s.hold)
	}
}

func TestWhatCountsAsFaster(t *testing.T) {
	const ms = time.Millisecond
	for _, tc := range []struct {
		srtt, than time.Duration
		faster     bool
	}{
		{15 * ms, 20 * ms, true},
		{16 * ms, 20 * ms, false},
		{181 * ms, 200 * ms, false},
		{180 * ms, 200 * ms, true},
		{0, 200 * ms, false},
		{10 * ms, 0, false},
	} {
		if got := isFaster(tc.srtt, tc.than); got != tc.faster {
			t.Errorf("%v instead of %v: %v", tc.srtt, tc.than, got)
		}
	}
	s := new(steadiness)
	for range 2 {
		s.answer(true, epoch)
	}
	if s.answer(false, epoch); s.faster != 0 {
		t.Error("faster answers are not counted in a row")
	}
}
