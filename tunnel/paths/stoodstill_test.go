package paths

import (
	"testing"
	"time"
)

// TestAnEndThatStoodStill begins to wait anew: what has come meanwhile waits to be read, in
// any order. One that is always late leaves a dead pair all the same.
func TestAnEndThatStoodStill(t *testing.T) {
	for _, test := range []struct {
		name  string
		late  time.Duration // each Look behind its deadline
		alive bool          // what the pair in use has carried is read after the others'
		moves bool
	}{
		{"in time, and the pair is dead", 0, false, true},
		{"hardly late, and the pair is dead", stoodStill, false, true},
		{"always late, and the pair is dead", 300 * time.Millisecond, false, true},
		{"late, and the pair is alive", 300 * time.Millisecond, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, offered := three(t)
			home := offered[0].Pair
			traffic := Traffic{SRTT: 20 * time.Millisecond, RTTVAR: time.Millisecond, Sent: 1, Heard: 1, Received: 1}
			now := ms(40)
			s.Look(nil, traffic, now)
			traffic.Sent++
			s.Look(nil, traffic, now) // from now on nothing is heard
			for range 30 {
				if at := s.Deadline(); !at.IsZero() {
					now = at.Add(test.late)
				} else {
					now = now.Add(20 * time.Millisecond)
				}
				var last Action
				for _, a := range s.Look(nil, traffic, now) {
					if a.Pair == home {
						last = a
						continue
					}
					s.Response(a.Token, 0, now.Add(time.Millisecond))
					s.Look(nil, traffic, now.Add(time.Millisecond))
				}
				if test.alive && last.Token != 0 {
					s.Response(last.Token, 0, now.Add(2*time.Millisecond))
				}
				if test.alive {
					traffic.Heard++
				}
			}
			if moves := current(t, s) != home; moves != test.moves {
				t.Errorf("in use: %v, %+v", current(t, s), s.History())
			}
		})
	}
}
