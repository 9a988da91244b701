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
		{"what came while the peer was left alone may have come at once", []look{
			{time.Second, 0, 0, false, false}, {idleEcho, 1, 0, false, false}, {idleEcho + time.Second, 1, 0, true, false},
		}},
		{"a packet sent after a rest is not answered by earlier ones", []look{
			{time.Second, 0, 0, false, false}, {5 * time.Second, 1, 1, false, false},
			{5*time.Second + tick, 1, 1, false, false}, {5*time.Second + echoAfter, 1, 1, true, false},
			{5*time.Second + deadAfter, 1, 2, true, true},
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

// TestAnAnswerIsNotUnanswered: an end that hears a message and answers it expects
// no answer to that.
func TestAnAnswerIsNotUnanswered(t *testing.T) {
	start := time.Unix(1000, 0)
	after := func(d time.Duration) time.Time { return start.Add(d) }
	var l liveness
	l.reset(start)
	l.look(start, 0, 1) // unanswered
	l.hears(after(time.Second), 2)
	l.look(after(time.Second), 0, 2) // the message is not counted yet
	if at := l.deadline(); !at.Equal(after(time.Second + idleEcho)) {
		t.Errorf("the next look after %v", at.Sub(start))
	}
	if echo, dead := l.look(after(deadAfter), 1, 2); echo || dead {
		t.Errorf("echo %v, dead %v", echo, dead)
	}
	if at := l.deadline(); !at.Equal(after(time.Second + idleEcho)) {
		t.Errorf("then after %v", at.Sub(start))
	}
}
