package paths

import (
	"testing"
	"time"
)

func TestHistoryIsBounded(t *testing.T) {
	var h history
	for i := range 100 {
		h.add(Move{At: epoch.Add(time.Duration(i))})
	}
	if len(h.moves) != historyMoves || !h.moves[historyMoves-1].At.Equal(epoch.Add(99)) || !h.moves[0].At.Equal(epoch.Add(100-historyMoves)) {
		t.Errorf("%v", h.moves)
	}
}
