package paths

import (
	"cmp"
	"slices"
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
			home, moves := offered[0].Pair, len(s.History())
			traffic := Traffic{SRTT: 20 * time.Millisecond, RTTVAR: time.Millisecond, Sent: 1, Heard: 1, Received: 1}
			now := ms(40)
			s.Look(nil, traffic, now)
			traffic.Sent++
			s.Look(nil, traffic, now) // from now on nothing is heard
			var unread []Action       // the answers to these have come
			for range 30 {
				if at := s.Deadline(); !at.IsZero() {
					now = at.Add(test.late)
				} else {
					now = now.Add(20 * time.Millisecond)
				}
				asked := s.Look(nil, traffic, now)
				slices.SortStableFunc(unread, func(a, b Action) int { // those of home are read last
					return cmp.Compare(b.Pair.Interface, a.Pair.Interface)
				})
				for _, a := range unread {
					if a.Pair != home || test.alive {
						traffic.Heard++
						s.Response(a.Token, 0, now)
						asked = s.Look(asked, traffic, now)
					}
				}
				unread = asked
			}
			if h := s.History(); (len(h) > moves) != test.moves {
				t.Errorf("moves: %+v", h[moves:])
			}
		})
	}
}
