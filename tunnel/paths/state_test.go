package paths

import "testing"

func TestEveryTransition(t *testing.T) {
	for _, tc := range []struct {
		name string
		on   event
		// to is the state after it, of a pair that was unknown, tried, proved, stale
		// and failed.
		to [5]State
	}{
		{"a challenge leaves", asked, [5]State{Tried, Tried, Proved, Stale, Failed}},
		{"a challenge is answered", answered, [5]State{Proved, Proved, Proved, Proved, Proved}},
		{"the last answer grows old", aged, [5]State{Unknown, Tried, Stale, Stale, Failed}},
		{"challenges remain unanswered", gaveUp, [5]State{Failed, Failed, Failed, Failed, Failed}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for from := Unknown; from <= Failed; from++ {
				if got := from.after(tc.on); got != tc.to[from] {
					t.Errorf("from %v to %v, want %v", from, got, tc.to[from])
				}
			}
		})
	}
}

func TestNoTwoLinesForOneTransition(t *testing.T) {
	lines := make(map[[2]int]bool)
	for _, l := range transitions {
		key := [2]int{int(l.from), int(l.on)}
		if lines[key] {
			t.Errorf("two lines for %v and event %d", l.from, l.on)
		}
		lines[key] = true
	}
}

func TestNames(t *testing.T) {
	for i, want := range []string{"unknown", "tried", "proved", "stale", "failed"} {
		if got := State(i).String(); got != want {
			t.Errorf("state %d is %q, want %q", i, got, want)
		}
	}
	for i, want := range []string{"start", "silent", "link_down", "preferred", "faster", "peer"} {
		if got := Cause(i).String(); got != want {
			t.Errorf("cause %d is %q, want %q", i, got, want)
		}
	}
	for i, want := range []string{"roaming", "decider", "follower"} {
		if got := Role(i).String(); got != want {
			t.Errorf("role %d is %q, want %q", i, got, want)
		}
	}
}
