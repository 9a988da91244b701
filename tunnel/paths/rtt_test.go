package paths

import (
	"testing"
	"time"
)

// TestAnOutageIsNoRoundTrip: the answer to a challenge that was repeated meanwhile has
// waited for something else than a round trip. Where that has become longer, it is measured
// all the same.
func TestAnOutageIsNoRoundTrip(t *testing.T) {
	s, home := single(t)
	s.current.want(ms(1000))
	var asked []Action
	for at := 1000; at < 4000; at += 10 {
		asked = s.Look(asked, Traffic{}, ms(at))
	}
	if len(asked) < 3 {
		t.Fatalf("%d challenges in 3 s", len(asked))
	}
	for _, a := range asked[:len(asked)-1] { // all that waited comes at once
		s.Response(a.Token, 0, ms(4000))
	}
	if got := s.SRTT(home); got != roundTrip {
		t.Errorf("the round trip is %v, it was %v", got, roundTrip)
	}
	if st := s.Status(ms(4000)); st[0].State != Proved {
		t.Errorf("the pair is %v though it has answered", st[0].State)
	}
	s.Response(asked[len(asked)-1].Token, 0, ms(4000))
	if got := s.SRTT(home); got <= roundTrip {
		t.Errorf("the last challenge does not count: %v", got)
	}

	s, home = single(t)
	const longer = 700 // ms
	for begin := 1000; begin < 60_000; begin += 5000 {
		s.current.want(ms(begin))
		var waiting []challenge // tokens, and when they arrive
		for at := begin; at < begin+5000; at += 10 {
			for len(waiting) > 0 && !ms(at).Before(waiting[0].sent) {
				s.Response(waiting[0].token, 0, ms(at))
				waiting = waiting[1:]
			}
			for _, a := range s.Look(nil, Traffic{}, ms(at)) {
				waiting = append(waiting, challenge{a.Token, ms(at + longer)})
			}
		}
	}
	if got := s.SRTT(home); got < longer*time.Millisecond/2 {
		t.Errorf("%v is measured where a round trip takes %d ms", got, longer)
	}
}

func TestRTT(t *testing.T) {
	var r rtt
	if got := r.timeout(); got != initialRTT+4*(initialRTT/2) {
		t.Errorf("the timeout is %v before any sample", got)
	}
	r.sample(-time.Second)
	r.sample(time.Hour)
	if r != (rtt{}) {
		t.Errorf("impossible samples count: %v", r)
	}
	r.sample(80 * time.Millisecond)
	if r != (rtt{80 * time.Millisecond, 40 * time.Millisecond}) {
		t.Errorf("after the first sample: %v", r)
	}
	r.sample(160 * time.Millisecond)
	if r != (rtt{90 * time.Millisecond, 50 * time.Millisecond}) {
		t.Errorf("after the second sample: %v", r)
	}
	for range 100 {
		r.sample(20 * time.Millisecond)
	}
	if got := r.timeout(); got < 30*time.Millisecond || got > 31*time.Millisecond {
		t.Errorf("the timeout is %v on a steady path of 20 ms", got)
	}
}
