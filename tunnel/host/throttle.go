package host

import (
	"sync"
	"time"
)

// throttle leaves tokens in a channel: the first at once, and then at most one
// an interval, so that a burst costs its reader two. It never waits for room:
// one token stands for any number of changes. Any goroutine may use it.
type throttle struct {
	out   chan<- struct{}
	every time.Duration

	mu      sync.Mutex // guards what follows
	last    time.Time
	pending *time.Timer // nil: none
	closed  bool
}

// ask asks for a token.
func (t *throttle) ask() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.pending != nil {
		return
	}
	if wait := t.every - time.Since(t.last); wait > 0 && !t.last.IsZero() {
		t.pending = time.AfterFunc(wait, t.later)
		return
	}
	t.leave()
}

func (t *throttle) later() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = nil
	if !t.closed {
		t.leave()
	}
}

func (t *throttle) leave() {
	t.last = time.Now()
	select {
	case t.out <- struct{}{}:
	default:
	}
}

// close returns when no further token is left.
func (t *throttle) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.pending != nil {
		t.pending.Stop()
	}
}
