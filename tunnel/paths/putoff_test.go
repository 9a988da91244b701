package paths

import "testing"

// TestASignThatIsPutOff: the peer says that it hears nothing just after a move, of which
// it need not know yet. The contest begins when it must know, unless the pair in use has
// answered what was asked since.
func TestASignThatIsPutOff(t *testing.T) {
	for _, test := range []struct {
		name     string
		asked    int // when the pair in use is asked that answers; 0: it does not
		contests bool
	}{
		{"no answer", 0, true},
		{"an answer to what was asked before the sign", 1005, true},
		{"an answer to what was asked after it", 1020, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, c := three(t)
			s.Decides(false, false, true)
			s.Withdraw(func(p Pair) bool { return p == c[0].Pair }, ms(1000)) // and so there is a move
			s.Look(nil, Traffic{}, ms(1000))
			if test.asked > 0 && test.asked < 1010 {
				s.current.ask(99, ms(test.asked))
			}
			s.Challenge(c[2].Pair, Challenge{Token: 1, Stalled: true}, ms(1010))
			later := s.contest.alarms[stalled].later
			if s.contest.open() || !s.InDoubt(ms(1010)) {
				t.Fatalf("a contest is open: %v, in doubt: %v", s.contest.open(), s.InDoubt(ms(1010)))
			}
			if test.asked > 1010 {
				s.current.ask(99, ms(test.asked))
			}
			if test.asked > 0 {
				s.Response(99, 0, ms(1030))
			}
			if test.contests && s.Deadline().After(later) {
				t.Errorf("looks again at %v, the contest is due at %v", s.Deadline(), later)
			}
			s.Look(nil, Traffic{}, later)
			if s.contest.open() != test.contests {
				t.Errorf("a contest is open: %v, want %v", s.contest.open(), test.contests)
			}
		})
	}
}
