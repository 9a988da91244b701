package pmtud

import "testing"

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
