package host

import (
	"testing"
	"time"
)

// TestBackoff follows a thing that goes wrong at the given times: when it is put
// right, and when that is called contested.
func TestBackoff(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for name, test := range map[string]struct {
		most      time.Duration
		wrong     []time.Duration // since the start
		right     []time.Duration
		contested []bool
	}{
		"now and then": {
			maxRest,
			[]time.Duration{0, 40 * s, 80 * s, 120 * s, 160 * s, 200 * s},
			[]time.Duration{0, 40 * s, 80 * s, 120 * s, 160 * s, 200 * s},
			[]bool{false, false, false, false, false, false},
		},
		"every second": {
			maxRest,
			[]time.Duration{0, 1 * s, 2 * s, 3 * s, 4 * s, 5 * s, 7 * s, 11 * s, 19 * s, 35 * s, 67 * s, 99 * s},
			[]time.Duration{0, 1 * s, 2 * s, 3 * s, 4 * s, 6 * s, 10 * s, 18 * s, 34 * s, 66 * s, 98 * s, 130 * s},
			[]bool{false, false, false, true, true, true, true, true, true, true, true, true},
		},
		"at once": {
			maxRest,
			[]time.Duration{0, 0, 100 * ms, 200 * ms, 300 * ms, 1300 * ms},
			[]time.Duration{0, 100 * ms, 200 * ms, 300 * ms, 1300 * ms, 3300 * ms},
			[]bool{false, false, false, true, true, true},
		},
		"a guard, at once": {
			maxGuardRest,
			[]time.Duration{0, 1 * ms, 11 * ms, 21 * ms, 2 * s},
			[]time.Duration{0, 10 * ms, 20 * ms, 30 * ms, 2 * s},
			[]bool{false, false, false, true, true},
		},
		"until a long rest": {
			maxRest,
			[]time.Duration{0, 1 * s, 2 * s, 3 * s, 4 * s, 40 * s, 41 * s},
			[]time.Duration{0, 1 * s, 2 * s, 3 * s, 4 * s, 40 * s, 41 * s},
			[]bool{false, false, false, true, true, false, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Unix(1000, 0)
			var b backoff
			for i, at := range test.wrong {
				now := began.Add(at)
				due := b.due(now)
				if due.Before(now) {
					due = now
				}
				if again := b.due(due); again.After(due) {
					t.Fatalf("%d: due at %v, and then at %v", i, due.Sub(began), again.Sub(began))
				}
				b.attempted(due, false, test.most)
				if due.Sub(began) != test.right[i] || b.contested(due) != test.contested[i] {
					t.Errorf("%d: wrong at %v: right at %v, contested %v", i, at, due.Sub(began), b.contested(due))
				}
				b.right()
			}
			last := began.Add(test.right[len(test.right)-1])
			if b.contested(last.Add(maxRest + calm + s)) {
				t.Error("contested for ever")
			}
		})
	}
}

// TestBackoffOfFailures: what cannot be put right is tried ever less often, and
// is not contested.
func TestBackoffOfFailures(t *testing.T) {
	now := time.Unix(1000, 0)
	var b backoff
	var rests []time.Duration
	for range 12 {
		now = b.due(now)
		b.attempted(now, true, maxRest)
		rests = append(rests, b.rest)
	}
	if rests[0] != firstRest || rests[1] != 2*firstRest || rests[11] != maxRest {
		t.Errorf("rests %v", rests)
	}
	if b.contested(now) || !b.failed {
		t.Errorf("%+v", b)
	}
	b.right()
	if b.failed || !b.wrong.IsZero() {
		t.Errorf("%+v", b)
	}
}
