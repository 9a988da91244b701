package paths

import (
	"testing"
	"time"
)

func TestAPairGrowsStaleWithoutATimer(t *testing.T) {
	var p path
	p.happens(asked)
	p.proves(epoch, ms(20))
	if got := p.stateAt(ms(20).Add(staleAfter)); got != Proved {
		t.Errorf("%v in time", got)
	}
	if got := p.stateAt(ms(21).Add(staleAfter)); got != Stale || p.state != Proved {
		t.Errorf("%v later", got)
	}
	p.proves(epoch.Add(-time.Second), ms(40)) // an older challenge, answered late
	if !p.asked.Equal(epoch) {
		t.Errorf("the latest challenge that was answered left at %v", p.asked)
	}
	p.fail()
	if got := p.stateAt(ms(41)); got != Failed || p.unanswered < enoughUnanswered {
		t.Errorf("%v after it has failed", got)
	}
}

func TestGhosts(t *testing.T) {
	late := epoch.Add(ghostAfter + time.Second)
	for _, tc := range []struct {
		name  string
		p     path
		ghost bool
	}{
		{"never heard since", path{heard: epoch, confirmed: epoch}, true},
		{"heard lately", path{heard: late, confirmed: epoch}, false},
		{"answered lately", path{heard: epoch, confirmed: late}, false},
		{"offered by the host", path{ours: true}, false},
	} {
		if got := tc.p.ghost(late); got != tc.ghost {
			t.Errorf("%s: a ghost: %v", tc.name, got)
		}
	}
}

func TestResponsesAreBounded(t *testing.T) {
	var p path
	for i := range 100 {
		p.owe(uint64(i))
	}
	if p.owes != maxOwed || p.owed[maxOwed-1].token != maxOwed-1 {
		t.Errorf("%d owed: %v", p.owes, p.owed)
	}
}
