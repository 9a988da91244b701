package paths

import (
	"slices"
	"testing"
)

// TestWhatReturnsIsToldOf: while the pair in use was gone, what was sent may have left by
// another one, and the peer may have followed there. The decider decides on its pair anew,
// another end says that it hears nothing until it gets an answer.
func TestWhatReturnsIsToldOf(t *testing.T) {
	for _, test := range []struct {
		role   Role
		use    bool // or else stalled
		number uint32
	}{
		{Decider, true, 1},
		{Follower, false, 0},
		{Roaming, false, 0},
	} {
		t.Run(test.role.String(), func(t *testing.T) {
			s, c := three(t)
			s.Decides(test.role == Decider, test.role == Follower, true)
			s.Returned(func(p Pair) bool { return p == c[1].Pair }, ms(100))
			if actions := s.Look(nil, Traffic{}, ms(100)); len(actions) > 0 {
				t.Errorf("another pair than the one in use returns: %v", actions)
			}
			s.Returned(func(p Pair) bool { return p == c[0].Pair }, ms(200))
			told := func(a Action) bool {
				return a.Kind == SendChallenge && a.Pair == c[0].Pair && a.Use == test.use && a.Stalled != test.use && a.Generation == test.number
			}
			actions := s.Look(nil, Traffic{}, ms(200))
			if !slices.ContainsFunc(actions, told) || current(t, s) != c[0].Pair {
				t.Fatalf("by %v the peer is told %v", current(t, s), actions)
			}
			for _, a := range actions {
				s.Response(a.Token, test.number, ms(220))
			}
			if again := s.Look(nil, Traffic{}, ms(1000)); slices.ContainsFunc(again, told) {
				t.Errorf("told again after the answer: %v", again)
			}
		})
	}
}
