package paths

import (
	"testing"
	"time"
)

func TestHistoryIsBounded(t *testing.T) {
	var h history
	var told []Move
	for i := range 100 {
		h.add(Move{At: epoch.Add(time.Duration(i))})
		if i%historyMoves == 5 {
			told = h.untold(told)
		}
	}
	if len(h.moves) != historyMoves || !h.moves[historyMoves-1].At.Equal(epoch.Add(99)) || !h.moves[0].At.Equal(epoch.Add(100-historyMoves)) {
		t.Errorf("%v", h.moves)
	}
	for i, m := range told {
		if !m.At.Equal(epoch.Add(time.Duration(i))) {
			t.Fatalf("move %d of the log is that of %v", i, m.At.Sub(epoch))
		}
	}
	rest := h.untold(nil)
	if len(told)+len(rest) != 100 || len(h.untold(nil)) != 0 {
		t.Errorf("%d and %d moves told", len(told), len(rest))
	}
}
