package paths

import "testing"

// TestDoubtLastsUntilItIsDispelled: data has no answer, and the pair in use wins the
// contest. When that comes again soon, the next contest is put off; until then the pair
// in use may have failed all the same.
func TestDoubtLastsUntilItIsDispelled(t *testing.T) {
	s, _ := three(t)
	quiet := Traffic{Sent: 1, Heard: 1, Received: 1, SRTT: roundTrip}
	unanswered := func(asked int) Traffic {
		t := quiet
		t.Sent, t.Unanswered, t.Asked = uint64(asked), enoughRequests, ms(asked)
		return t
	}
	// answer has the pair in use answer what it was just asked.
	answer := func(actions []Action, at int) {
		t.Helper()
		for _, a := range actions {
			if by, _ := s.Current(); a.Kind == SendChallenge && a.Pair == by {
				s.Response(a.Token, 0, ms(at))
			}
		}
		s.Look(nil, quiet, ms(at))
	}
	s.Look(nil, quiet, ms(1000))
	if s.InDoubt(ms(1000)) {
		t.Fatal("in doubt before anything has happened")
	}
	actions := s.Look(nil, unanswered(1010), ms(1100))
	if !s.contest.open() || !s.InDoubt(ms(1100)) {
		t.Fatal("no contest begins")
	}
	answer(actions, 1120)
	if s.contest.open() || s.InDoubt(ms(1120)) {
		t.Fatal("in doubt though it has answered")
	}
	s.Look(nil, unanswered(1125), ms(1170))
	if s.contest.open() || !s.InDoubt(ms(1170)) {
		t.Error("not in doubt while the next contest is put off")
	}
	next := s.contest.alarms[stalled].next
	if at := s.Deadline(); at.After(next) {
		t.Errorf("looks again at %v, the contest may begin at %v", at, next)
	}
	answer(s.Look(nil, unanswered(1125), next), 1240)
	if s.contest.open() || s.InDoubt(ms(1240)) {
		t.Error("in doubt though it has answered again")
	}
}

// TestTheOnlyPairIsNotInDoubt: nothing follows from it.
func TestTheOnlyPairIsNotInDoubt(t *testing.T) {
	s, _ := single(t)
	s.Look(nil, Traffic{Sent: 5, Unanswered: enoughRequests, Asked: ms(10), SRTT: roundTrip}, ms(1000))
	if s.InDoubt(ms(1000)) {
		t.Error("in doubt")
	}
}
