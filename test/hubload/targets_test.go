package main

import (
	"io"
	"testing"
	"time"
)

// TestJudge: every target can be met and missed, and is missed without a figure.
func TestJudge(t *testing.T) {
	good := figures{up: time.Second, cpu: time.Second, share: 1}
	bad := figures{up: time.Minute, cpu: time.Minute, share: 50}
	all := func(f figures) map[string]figures {
		return map[string]figures{coldStart: f, idleShare: f, foreignRoutes: f, restart: f}
	}
	for peers, want := range map[int]int{100: 0, 1000: 5, 3000: 4} {
		for name, test := range map[string]struct {
			measured map[string]figures
			missed   int
		}{"good": {all(good), 0}, "bad": {all(bad), want}, "nothing": {nil, want}} {
			if got := judge(io.Discard, peers, test.measured); got != test.missed {
				t.Errorf("%d peers, %s: %d missed, want %d", peers, name, got, test.missed)
			}
		}
	}
}
