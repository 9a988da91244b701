package udp

import (
	"syscall"
	"testing"
	"time"
)

// TestRefusedRow: what is tried, and what is not, after each answer of the kernel.
func TestRefusedRow(t *testing.T) {
	const ef, µs = 0xb8, time.Microsecond
	type answer struct {
		at   time.Duration
		size int
		tos  uint8
		err  error
	}
	threeOf := func(size int, why error) []answer {
		return []answer{{0, size, 0, why}, {10 * µs, size, 0, why}, {20 * µs, size, 0, why}}
	}
	type question struct {
		at   time.Duration
		size int
		tos  uint8
		want error
	}
	for name, test := range map[string]struct {
		answers   []answer
		questions []question
	}{
		"nothing has been refused": {nil, []question{{0, 1400, 0, nil}}},
		"two may be by chance":     {threeOf(1400, ErrNoBuffers)[:2], []question{{20 * µs, 1400, 0, nil}}},
		"three are a row": {threeOf(1400, ErrNoBuffers), []question{
			{21 * µs, 1400, 0, ErrNotTried}, {21 * µs, 1500, 0, ErrNotTried}, {21 * µs, 1399, 0, nil}, {21 * µs, 1400, ef, nil}}},
		"a firewall says no":          {threeOf(1400, syscall.EPERM), []question{{21 * µs, 1400, 0, ErrNotTried}}},
		"an error that is about more": {threeOf(1400, syscall.ENETUNREACH), []question{{21 * µs, 1400, 0, nil}}},
		"a full socket":               {threeOf(1400, ErrFull), []question{{21 * µs, 1400, 0, nil}}},
		"EMSGSIZE needs no row": {threeOf(1400, ErrTooBig)[:1], []question{
			{1 * µs, 1400, 0, ErrTooBig}, {1 * µs, 1399, 0, nil}}},
		"one is tried after a rest, and no other meanwhile": {threeOf(1400, ErrNoBuffers), []question{
			{219 * µs, 1400, 0, ErrNotTried}, {220 * µs, 1400, 0, nil}, {221 * µs, 1400, 0, ErrNotTried}, {420 * µs, 1400, 0, nil}}},
		"the next rest is longer": {append(threeOf(1400, ErrNoBuffers), answer{time.Millisecond, 1400, 0, ErrNoBuffers}), []question{
			{4999 * µs, 1400, 0, ErrNotTried}, {5 * time.Millisecond, 1400, 0, nil}}},
		"but not too long": {append(threeOf(1400, ErrNoBuffers), answer{900 * time.Millisecond, 1400, 0, ErrNoBuffers}), []question{
			{900*time.Millisecond + maxRest - 1, 1400, 0, ErrNotTried}, {900*time.Millisecond + maxRest, 1400, 0, nil}}},
		"a row of long ago is forgotten": {append(threeOf(1400, ErrNoBuffers), answer{time.Minute, 1400, 0, ErrNoBuffers}), []question{
			{time.Minute, 1400, 0, nil}}},
		"as large a one is taken": {append(threeOf(1400, ErrNoBuffers), answer{21 * µs, 1400, 0, nil}), []question{{22 * µs, 1400, 0, nil}}},
		"a larger one is taken":   {append(threeOf(1400, ErrNoBuffers), answer{21 * µs, 1500, 0, nil}), []question{{22 * µs, 1400, 0, nil}}},
		"a smaller one is taken":  {append(threeOf(1400, ErrNoBuffers), answer{21 * µs, 1399, 0, nil}), []question{{22 * µs, 1400, 0, ErrNotTried}}},
		"one of another class is": {append(threeOf(1400, ErrNoBuffers), answer{21 * µs, 1400, ef, nil}), []question{{22 * µs, 1400, 0, ErrNotTried}}},
		"the smallest refused counts": {[]answer{{0, 1500, 0, ErrNoBuffers}, {0, 1300, 0, ErrNoBuffers}, {0, 1400, 0, ErrNoBuffers}}, []question{
			{1 * µs, 1300, 0, ErrNotTried}, {1 * µs, 1299, 0, nil}}},
		"several classes are all": {[]answer{{0, 1400, 0, ErrNoBuffers}, {0, 1400, ef, ErrNoBuffers}, {0, 1400, 0, ErrNoBuffers}}, []question{
			{1 * µs, 1400, 0, ErrNotTried}, {1 * µs, 1400, ef, ErrNotTried}, {1 * µs, 1400, 4, ErrNotTried}}},
	} {
		t.Run(name, func(t *testing.T) {
			var r refusedSize
			for _, a := range test.answers {
				if a.err == nil {
					r.taken(a.size, a.tos)
				} else {
					r.refused(a.size, a.tos, a.err, a.at)
				}
			}
			for _, q := range test.questions {
				if got := r.try(q.size, q.tos, q.at); got != q.want {
					t.Errorf("%d bytes of class %#x after %v: %v, want %v", q.size, q.tos, q.at, got, q.want)
				}
			}
		})
	}
}

// TestARefusedSizeIsTriedRarely: whatever is offered, and however often.
func TestARefusedSizeIsTriedRarely(t *testing.T) {
	for _, every := range []time.Duration{time.Microsecond, 50 * time.Microsecond, time.Millisecond, 20 * time.Millisecond} {
		var r refusedSize
		tried := make([]int, 5) // by second
		for now := time.Duration(0); now < time.Duration(len(tried))*time.Second; now += every {
			if r.try(1400, 0, now) == nil {
				tried[now/time.Second]++
				r.refused(1400, 0, ErrNoBuffers, now)
			}
		}
		for second, n := range tried {
			if n == 0 || n > 11 || second > 0 && n > 4 {
				t.Errorf("a datagram each %v: tried %v times a second", every, tried)
				break
			}
		}
	}
}

// TestAFullQueueIsNoRefusedSize: of a queue that holds few packets as much leaves as if
// every datagram had been tried.
func TestAFullQueueIsNoRefusedSize(t *testing.T) {
	const length = 10 * time.Second
	for name, test := range map[string]struct {
		queue int           // packets
		each  time.Duration // that it takes to send one
		burst int           // that are offered at once,
		every time.Duration // so often
	}{
		"1 Gbit/s":             {1000, 12 * time.Microsecond, 64, 100 * time.Microsecond},
		"1 Gbit/s, short":      {50, 12 * time.Microsecond, 64, 500 * time.Microsecond},
		"100 Mbit/s":           {100, 120 * time.Microsecond, 64, time.Millisecond},
		"100 Mbit/s, short":    {10, 120 * time.Microsecond, 8, 500 * time.Microsecond},
		"10 Mbit/s":            {100, 1200 * time.Microsecond, 64, 10 * time.Millisecond},
		"10 Mbit/s, short":     {10, 1200 * time.Microsecond, 3, 2 * time.Millisecond},
		"1 Mbit/s, very short": {5, 12 * time.Millisecond, 3, 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			carried := func(rest bool) (n int) {
				var r refusedSize
				queued, next := 0, test.each
				for now := time.Duration(0); now < length; now += test.every {
					for i := range test.burst {
						at := now + time.Duration(i)*time.Microsecond
						for ; next <= at; next += test.each {
							if queued > 0 {
								queued--
								n++
							}
						}
						if rest && r.try(1400, 0, at) != nil {
							continue
						}
						if queued == test.queue {
							r.refused(1400, 0, ErrNoBuffers, at)
							continue
						}
						queued++
						r.taken(1400, 0)
					}
				}
				return n
			}
			if with, without := carried(true), carried(false); float64(with) < 0.97*float64(without) {
				t.Errorf("%d packets leave, %d if all are tried", with, without)
			} else {
				t.Logf("%d packets leave, %d if all are tried", with, without)
			}
		})
	}
}
