package tunnel

import (
	"testing"
	"time"
)

func TestPendingEcho(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for _, test := range []struct {
		name  string
		asked []int // when, in milliseconds; the tokens count from 1
		token uint64
		at    int
		rtt   int // -1: the reply is none
	}{
		{"an echo and its reply", []int{0}, 1, 20, 20},
		{"an echo after one that was lost", []int{0, 1000}, 2, 1020, 20},
		{"a reply that is later than the next echo", []int{0, 1000, 2000}, 1, 2200, 2200},
		{"the oldest that is remembered", []int{0, 1000, 2000, 3000}, 1, 3500, 3500},
		{"one that is too old", []int{0, 1000, 2000, 3000, 4000}, 1, 4500, -1},
		{"a reply to nothing", nil, 0, 20, -1},
		{"a token that was never sent", []int{0}, 7, 20, -1},
		{"no token", []int{0}, 0, 20, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e pendingEcho
			for n, ms := range test.asked {
				e.ask(uint64(n+1), at(ms))
			}
			if awaits := e.awaits(test.token); awaits != (test.rtt >= 0) {
				t.Errorf("awaits: %v", awaits)
			}
			rtt, ok := e.reply(test.token, at(test.at))
			if ok != (test.rtt >= 0) || ok && rtt != time.Duration(test.rtt)*time.Millisecond {
				t.Errorf("%v, %v", rtt, ok)
			}
			if _, again := e.reply(test.token, at(test.at)); again {
				t.Error("the same reply counts twice")
			}
			if n := len(test.asked); n > 0 && !e.sent.Equal(at(test.asked[n-1])) {
				t.Errorf("the last was sent at %v", e.sent)
			}
		})
	}
}
