package paths

import (
	"math"
	"testing"
)

func TestWhoDecides(t *testing.T) {
	for _, tc := range []struct {
		we, peer, greater bool
		role, theirs      Role
	}{
		{false, false, false, Roaming, Roaming},
		{true, false, false, Decider, Follower},
		{true, false, true, Decider, Follower},
		{true, true, true, Decider, Follower},
		{true, true, false, Follower, Decider},
		{false, true, true, Follower, Decider},
	} {
		if got := roleOf(tc.we, tc.peer, tc.greater); got != tc.role {
			t.Errorf("%+v: this end is %v", tc, got)
		}
		if got := roleOf(tc.peer, tc.we, !tc.greater); got != tc.theirs {
			t.Errorf("%+v: the peer is %v", tc, got)
		}
	}
}

func TestGenerationsNeverTie(t *testing.T) {
	for _, g := range []generation{0, 1, 2, math.MaxInt32, math.MaxUint32 - 1, math.MaxUint32} {
		a, b := g.next(true), g.next(false)
		if a == b || !a.newer(g) || !b.newer(g) {
			t.Errorf("after %d: %d and %d", g, a, b)
		}
		if c := a.next(false); !c.newer(a) || c.newer(a+2) {
			t.Errorf("after %d the other end says %d", a, c)
		}
	}
}

func TestADecisionIsToldUntilItIsConfirmed(t *testing.T) {
	for _, tc := range []struct {
		name       string
		carries    generation
		untold     bool
		generation generation
	}{
		{"the same", 3, false, 3},
		{"an older one", 1, true, 3},
		{"one from before a restart", 40, true, 41},
		{"one that the peer decided itself", 7, true, 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := decision{generation: 1}
			d.decide(true, epoch)
			d.told(roundTrip, epoch)
			d.confirm(tc.carries, true, epoch.Add(roundTrip))
			if d.untold != tc.untold || d.generation != tc.generation {
				t.Errorf("untold %v, generation %d", d.untold, d.generation)
			}
		})
	}
	d := decision{generation: 1}
	if d.confirm(40, true, epoch); d.untold || d.generation != 40 {
		t.Errorf("without a decision: %+v", d)
	}
}

func TestADecisionIsToldEverLessOften(t *testing.T) {
	var d decision
	d.decide(true, epoch)
	now := epoch
	for i := range 20 {
		d.told(roundTrip, now)
		if wait := d.next.Sub(now); wait != min(roundTrip<<i, announceLimit) {
			t.Fatalf("%v after %d times", wait, i)
		}
		now = d.next
	}
}

func TestAFollowerHearsTheLatestDecision(t *testing.T) {
	d := decision{generation: 10}
	for _, tc := range []struct {
		g     generation
		obeys bool
	}{{9, false}, {10, false}, {12, true}, {11, false}, {12, true}, {14, true}, {12, false}} {
		if got := d.hear(tc.g); got != tc.obeys {
			t.Errorf("generation %d: obeys %v", tc.g, got)
		}
	}
	d.generation = d.heard
	if d.hear(14) || !d.hear(16) {
		t.Error("a decision is obeyed twice, or the next one is not")
	}
}
