package pmtud

import (
	"reflect"
	"testing"
	"time"
)

func TestAHistoryKeepsTheLastEvents(t *testing.T) {
	for _, tc := range []struct{ added, kept, oldest int }{
		{0, 0, 0}, {1, 1, 0}, {historyEvents, historyEvents, 0}, {historyEvents + 3, historyEvents, 3},
	} {
		var h history
		for i := range tc.added {
			h.add(Event{From: i, To: i + 1})
		}
		if len(h) != tc.kept {
			t.Errorf("of %d events %d are kept", tc.added, len(h))
		}
		for i, e := range h {
			if e.From != tc.oldest+i {
				t.Errorf("of %d events number %d is %+v", tc.added, i, e)
			}
		}
	}
}

// TestASuspicionIsWithdrawn: what a false suspicion has changed is forgotten, an outage in
// its time is not.
func TestASuspicionIsWithdrawn(t *testing.T) {
	at := func(second, from, to int, why Cause) Event {
		return Event{At: epochStart.Add(time.Duration(second) * time.Second), From: from, To: to, Cause: why}
	}
	start := at(0, 0, 1500, CauseStart)
	early := at(1, 1500, 1500, CauseOutage)
	for _, tc := range []struct {
		name   string
		events history
		want   history
	}{
		{"nothing has changed", history{start}, history{start}},
		{"nothing has ever happened", nil, nil},
		{"a change", history{start, at(10, 1500, 1228, CauseLoss)}, history{start}},
		{"two changes", history{start, early, at(10, 1500, 1228, CauseLoss), at(11, 1228, 1500, CauseTrial)}, history{start, early}},
		{"an outage in between", history{start, at(10, 1500, 1228, CauseLoss), at(11, 1228, 1228, CauseOutage), at(12, 1228, 1500, CauseTrial)},
			history{start, at(11, 1500, 1500, CauseOutage)}},
		{"an outage alone is left", history{at(10, 1500, 1228, CauseLoss), at(11, 1228, 1228, CauseOutage)}, history{at(11, 1228, 1228, CauseOutage)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := tc.events
			h.withdraw(epochStart.Add(10 * time.Second))
			if len(h) != len(tc.want) || len(h) > 0 && !reflect.DeepEqual(h, tc.want) {
				t.Errorf("left are %v, want %v", h, tc.want)
			}
		})
	}
}
