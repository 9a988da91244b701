package pmtud

import (
	"slices"
	"testing"
	"time"
)

// sentRound opens a round with probes of the given sizes.
func sentRound(verify int, sizes ...int) (*round, *probes) {
	sent := &probes{generation: 1}
	r := new(round)
	r.begin(sent.counter, len(sizes), verify, time.Second, epochStart)
	for _, size := range sizes {
		sent.add(r.number, size, epochStart)
	}
	return r, sent
}

func TestARoundTells(t *testing.T) {
	const waiting = Waiting
	for _, tc := range []struct {
		name     string
		mode     Mode
		verify   int
		outcomes []Outcome // of probes of 1500, 1400, 1300 and 1228 bytes
		want     result
		fails    failures
		lossy    bool
	}{
		{"that all passed", Fan, 0, []Outcome{Passed, Passed, Passed, Passed}, result{heard: true, confirmed: true, fitting: 2}, nil, false},
		{"that the unanswered have failed", Fan, 0, []Outcome{waiting, waiting, Passed, Passed}, result{heard: true, confirmed: true, fitting: 2}, failures{{1400, 1}, {1500, 1}}, false},
		{"that fitting probes are lost", Fan, 0, []Outcome{waiting, Passed, waiting, Passed}, result{heard: true, confirmed: true, fitting: 2, fittingLost: 1}, failures{{1500, 1}}, true},
		{"that fragments have failed", Fan, 0, []Outcome{Fragmented, Passed, Passed, Passed}, result{heard: true, confirmed: true, fitting: 2}, failures{{1500, 1}}, false},
		{"nothing of a probe that was not sent", Fan, 0, []Outcome{Unsent, Passed, Unsent, Passed}, result{heard: true, confirmed: true, fitting: 1}, nil, false},
		{"of an outage, not of sizes", Fan, 0, []Outcome{waiting, waiting, waiting, waiting}, result{fitting: 2, fittingLost: 2}, nil, true},
		{"of sizes even then in the sequential mode", Sequential, 0, []Outcome{waiting, waiting, waiting, waiting}, result{fitting: 2, fittingLost: 2}, failures{{1400, 1}, {1500, 1}}, true},
		{"that a size is confirmed", Fan, 1400, []Outcome{waiting, Passed, waiting, Passed}, result{heard: true, confirmed: true, fitting: 2, fittingLost: 1}, failures{{1500, 1}}, true},
		{"that a size is not confirmed", Fan, 1400, []Outcome{waiting, waiting, Passed, Passed}, result{heard: true, fitting: 2}, failures{{1400, 1}, {1500, 1}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, sent := sentRound(tc.verify, 1500, 1400, 1300, 1228)
			for i, outcome := range tc.outcomes {
				p := sent.number(uint32(i))
				if p.Outcome = outcome; outcome == Passed || outcome == Fragmented {
					r.hear(p)
				}
			}
			s := newSearch(tc.mode, 1500)
			s.passed(1300)
			if got := r.close(sent, &s, 0, epochStart); got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
			if !slices.Equal(s.fails, tc.fails) || s.lossy != tc.lossy {
				t.Errorf("fails %v, lossy %v, want %v, %v", s.fails, s.lossy, tc.fails, tc.lossy)
			}
			for i, outcome := range tc.outcomes {
				if got := sent.number(uint32(i)).Outcome; outcome == waiting && got != Lost {
					t.Errorf("probe %d is %v", i, got)
				}
			}
		})
	}
}

func TestWhenARoundIsOver(t *testing.T) {
	const srtt, second = 200 * time.Millisecond, time.Second
	for _, tc := range []struct {
		name     string
		answered []uint32 // the counters, in order, of three probes
		reorders bool
		over     bool
		closes   time.Duration // from the start, unless over
	}{
		{"with the sentinel's answer", []uint32{2}, false, true, 0},
		{"not with the sentinel's answer where answers are reordered", []uint32{2}, true, false, srtt / 4},
		{"with all answers", []uint32{2, 0, 1}, true, true, 0},
		{"soon after another answer", []uint32{0}, false, false, srtt / 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, sent := sentRound(0, 1500, 1400, 1228)
			over := false
			for _, counter := range tc.answered {
				p := sent.number(counter)
				p.answer(false, epochStart)
				r.hear(p)
				over = r.over(sent, counter, srtt, tc.reorders, epochStart)
			}
			if over != tc.over {
				t.Fatalf("over: %v", over)
			}
			if got := r.closeAt.Sub(epochStart); !over && got != tc.closes {
				t.Errorf("closes after %v, want %v", got, tc.closes)
			}
		})
	}
	t.Run("at its timeout without any answer", func(t *testing.T) {
		if r, _ := sentRound(0, 1500); r.closeAt.Sub(epochStart) != second {
			t.Errorf("closes after %v", r.closeAt.Sub(epochStart))
		}
	})
}

func TestRoundsAreARoundTripApart(t *testing.T) {
	for _, tc := range []struct{ srtt, closed, next time.Duration }{
		{0, 5 * time.Millisecond, 5 * time.Millisecond}, // not measured yet
		{20 * time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond},
		{20 * time.Millisecond, 30 * time.Millisecond, 30 * time.Millisecond},
	} {
		r, sent := sentRound(0, 1500)
		s := newSearch(Fan, 1500)
		r.close(sent, &s, tc.srtt, epochStart.Add(tc.closed))
		if got := r.nextAt.Sub(epochStart); got != tc.next {
			t.Errorf("at an SRTT of %v, closed after %v: the next after %v, want %v", tc.srtt, tc.closed, got, tc.next)
		}
	}
}

func TestTimeoutOfARound(t *testing.T) {
	measured := rtt{smoothed: 100 * time.Millisecond, variance: 25 * time.Millisecond}
	for _, tc := range []struct {
		name   string
		mode   Mode
		rtt    rtt
		silent int
		want   time.Duration
	}{
		{"before any sample", Fan, rtt{}, 0, initialTimeout},
		{"by the estimate", Fan, measured, 0, 200 * time.Millisecond},
		{"twice as long after each silent fan", Fan, measured, 3, 1600 * time.Millisecond},
		{"up to PROBE_TIMER", Fan, measured, 100, defaultProbeTimer},
		{"PROBE_TIMER in the sequential mode", Sequential, measured, 0, defaultProbeTimer},
	} {
		r := round{silent: tc.silent}
		if got := r.timeout(Config{Mode: tc.mode}.withDefaults(), tc.rtt); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestAnAnswerBelongsToOneRound(t *testing.T) {
	r, sent := sentRound(0, 1500)
	former := *sent.number(0)
	r.silent = 2
	r.begin(1, 1, 0, time.Second, epochStart)
	sent.add(r.number, 1400, epochStart)
	if r.hear(&former) || r.answers != 0 || r.silent != 2 {
		t.Errorf("an answer to the former round counts: %+v", r)
	}
	if !r.hear(sent.number(1)) || r.answers != 1 || r.silent != 0 {
		t.Errorf("an answer to this round does not count: %+v", r)
	}
	r.open = false
	if r.hear(sent.number(1)) {
		t.Error("an answer counts after the round is closed")
	}
}
