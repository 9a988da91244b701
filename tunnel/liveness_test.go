package tunnel

import (
	"testing"
	"time"
)

func TestLiveness(t *testing.T) {
	type look struct {
		at         time.Duration
		rx, tx     uint64
		echo, dead bool
	}
	tests := []struct {
		name  string
		looks []look
	}{
		{"traffic both ways needs no echo", []look{
			{1 * time.Second, 1, 1, false, false}, {3 * time.Second, 2, 2, false, false},
			{6 * time.Second, 3, 3, false, false}, {9 * time.Second, 4, 4, false, false},
		}},
		{"an idle peer is asked now and then", []look{
			{idleEcho - 1, 0, 0, false, false}, {idleEcho, 0, 0, true, false},
			{idleEcho + 1, 0, 1, false, false}, {idleEcho + time.Second, 1, 1, false, false},
		}},
		{"receiving alone needs no echo", []look{
			{5 * time.Second, 10, 0, false, false}, {10 * time.Second, 20, 0, false, false}, {19 * time.Second, 30, 0, false, false},
		}},
		{"sending without an answer asks, asks again, and gives the peer up", []look{
			{0, 0, 1, false, false}, {echoAfter - 1, 0, 9, false, false}, {echoAfter, 0, 9, true, false},
			{echoAfter + 1, 0, 10, false, false}, {2 * echoAfter, 0, 10, true, false},
			{deadAfter, 0, 11, false, true}, {deadAfter + 1, 0, 11, false, true},
		}},
		{"an answer ends the doubt", []look{
			{0, 0, 1, false, false}, {deadAfter, 0, 2, true, true}, {deadAfter + time.Second, 1, 2, false, false},
			{deadAfter + 2*time.Second, 1, 2, false, false},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Unix(1000, 0)
			var l liveness
			l.reset(start)
			for i, step := range tt.looks {
				echo, dead := l.look(start.Add(step.at), step.rx, step.tx)
				if echo != step.echo || dead != step.dead {
					t.Errorf("look %d: echo %v dead %v, want %v %v", i, echo, dead, step.echo, step.dead)
				}
				if l.silent() != step.dead {
					t.Errorf("look %d: silent %v", i, l.silent())
				}
			}
		})
	}
}
