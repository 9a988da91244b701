package pmtud

import (
	"slices"
	"testing"
	"time"
)

func TestARaiserDoublesUpToItsLimit(t *testing.T) {
	for _, tc := range []struct {
		name  string
		limit time.Duration
		want  []float64 // seconds
	}{
		{"by default", defaultRaise, []float64{5, 10, 20, 40, 80, 160, 320, 600, 600}},
		{"below the shortest wait", 2 * time.Second, []float64{2, 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := raiser{limit: tc.limit}
			r.shorten()
			var got []float64
			now := epochStart
			for range tc.want {
				r.start(now)
				got = append(got, r.at.Sub(now).Seconds())
				now = r.at
				r.stop()
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%v s, want %v", got, tc.want)
			}
		})
	}
}

func TestARaiserIsInterrupted(t *testing.T) {
	later := epochStart.Add(time.Second)
	for _, tc := range []struct {
		name     string
		do       func(r *raiser)
		at, next time.Duration // from epochStart; the next wait
	}{
		{"by a false alarm, which puts nothing off", func(r *raiser) {
			before := *r
			r.stop()
			r.resume(before)
			r.start(later)
		}, 5 * time.Second, 10 * time.Second},
		{"by a false alarm while it is stopped", func(r *raiser) {
			r.stop()
			r.resume(*r)
			r.start(later)
		}, 11 * time.Second, 20 * time.Second},
		{"by a reduction, after which it is short again", func(r *raiser) {
			before := *r
			r.stop()
			r.resume(before)
			r.shorten()
			r.start(later)
		}, 6 * time.Second, 10 * time.Second},
		{"by a run that does not double the wait", func(r *raiser) { r.runOnce(later) }, 11 * time.Second, 10 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := raiser{limit: defaultRaise}
			r.shorten()
			r.start(epochStart)
			tc.do(&r)
			if at := r.at.Sub(epochStart); at != tc.at || r.wait != tc.next {
				t.Errorf("expires after %v, then %v, want %v, then %v", at, r.wait, tc.at, tc.next)
			}
		})
	}
}
