package paths

import (
	"testing"
	"time"
)

func TestSignsOfSilence(t *testing.T) {
	r := rtt{20 * time.Millisecond, 2 * time.Millisecond}
	type look struct {
		at int // ms
		t  Traffic
	}
	for _, tc := range []struct {
		name  string
		looks []look
		at    int // of the sign, in ms; -1: none
	}{
		{"no data", []look{{0, Traffic{}}, {1000, Traffic{}}}, -1},
		{"data and answers", []look{{0, Traffic{Sent: 1}}, {10, Traffic{Sent: 2, Heard: 1}}}, -1},
		{"data without answers", []look{{0, Traffic{Sent: 1}}, {100, Traffic{Sent: 2}}}, 500},
		{"an answer in between", []look{{0, Traffic{Sent: 1}}, {100, Traffic{Sent: 2, Heard: 1}}, {200, Traffic{Sent: 3, Heard: 1}}}, 700},
		{"two requests without a report", []look{{50, Traffic{Sent: 1, Heard: 1, Unanswered: 2, Asked: ms(10)}}}, -1},
		{"three requests without a report", []look{{50, Traffic{Sent: 1, Heard: 1, Unanswered: 3, Asked: ms(10)}}}, 40},
		{"they are answered at last", []look{{50, Traffic{Sent: 1, Heard: 1, Unanswered: 3, Asked: ms(10)}}, {60, Traffic{Sent: 1, Heard: 2}}}, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := silence{judged: epoch.Add(-time.Second)}
			for _, l := range tc.looks {
				s.look(l.t, ms(l.at))
			}
			want := time.Time{}
			if tc.at >= 0 {
				want = ms(tc.at)
			}
			if got := s.signAt(r); !got.Equal(want) {
				t.Errorf("the sign is at %v, want %v", got.Sub(epoch), want.Sub(epoch))
			}
		})
	}
}

func TestFalseAlarmsGrowRare(t *testing.T) {
	r := rtt{20 * time.Millisecond, 2 * time.Millisecond}
	s := silence{judged: epoch.Add(-time.Second)}
	s.look(Traffic{Sent: 1}, epoch)
	now := epoch
	for i := range 10 {
		at := s.signAt(r)
		if wait := at.Sub(now); wait != quietAfter<<min(i, maxFalseAlarms) {
			t.Fatalf("sign %d comes after %v", i, wait)
		}
		now = at
		s.falseAlarm(now)
	}
	s.look(Traffic{Sent: 2, Heard: 1, Received: 1}, now)
	s.look(Traffic{Sent: 3, Heard: 1, Received: 1}, now)
	if wait := s.signAt(r).Sub(now); wait != quietAfter {
		t.Errorf("after data has come: %v", wait)
	}
	s.look(Traffic{Unanswered: 9, Asked: now}, now)
	if s.judged = now; s.signAt(r).Equal(now.Add(r.timeout())) {
		t.Error("requests from before the judgement are a sign again")
	}
}

// TestDoubtGrowsRare where data flows in one direction only, and is there again when some
// has come.
func TestDoubtGrowsRare(t *testing.T) {
	r := rtt{20 * time.Millisecond, 2 * time.Millisecond}
	s := silence{judged: epoch.Add(-time.Second)}
	var traffic Traffic
	now := epoch
	for i := range 10 {
		traffic.Sent++
		s.look(traffic, now)
		at := s.doubtAt(r)
		if wait, want := at.Sub(now), r.timeout()<<min(i, maxFalseAlarms); wait != want {
			t.Fatalf("doubt %d comes after %v, want %v", i, wait, want)
		}
		now = at
		s.doubt(now)
		if again := s.doubtAt(r); !again.IsZero() {
			t.Fatalf("the same doubt again after %v", again.Sub(now))
		}
		if sign, want := s.signAt(r), earliest(now.Add(r.timeout()), s.since.Add(quietAfter)); !sign.Equal(want) {
			t.Fatalf("the sign comes %v after the doubt, want %v", sign.Sub(now), want.Sub(now))
		}
		now = now.Add(time.Millisecond)
		traffic.Heard++
		s.look(traffic, now)
		if !s.signAt(r).IsZero() {
			t.Fatal("an answer is a sign")
		}
	}
	traffic.Heard, traffic.Received = traffic.Heard+1, 1
	s.look(traffic, now)
	traffic.Sent++
	s.look(traffic, now)
	if wait := s.doubtAt(r).Sub(now); wait != r.timeout() {
		t.Errorf("after data has come: %v", wait)
	}
}
