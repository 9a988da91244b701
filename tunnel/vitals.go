package tunnel

import (
	"context"
	"fmt"
	"sync"
	"time"

	"fathom/tunnel/status"
)

// stuckAfter is how long a packet loop may be busy with one packet before it counts
// as stuck.
const stuckAfter = 10 * time.Second

// Vitals tell whether a running tunnel is alive, for a service manager that restarts
// one that hangs. Its methods may be called from any goroutine.
type Vitals struct {
	events *events

	mu    sync.Mutex
	loops map[*heartbeat]*observation // guarded by mu
}

// observation is what Check has seen of a loop.
type observation struct {
	what  string
	waits func() bool // for something outside of the tunnel; nil: it never does
	turn  uint64
	since time.Time // when Check first saw the loop at work in this turn; zero: it was not
}

// Census counts peers.
type Census struct{ Up, All int }

// String returns "2 of 3 peers up".
func (c Census) String() string {
	if c.All == 1 {
		return fmt.Sprintf("%d of 1 peer up", c.Up)
	}
	return fmt.Sprintf("%d of %d peers up", c.Up, c.All)
}

func newVitals(c *controller) *Vitals {
	return &Vitals{events: c.events, loops: make(map[*heartbeat]*observation)}
}

// watch looks after a packet loop until the returned function is called. waits
// reports whether the loop may be waiting for room in a socket: that is the
// network's doing, and no restart helps. Nil: the loop sends nothing.
func (v *Vitals) watch(what string, h *heartbeat, waits func() bool) (leave func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.loops[h] = &observation{what: what, waits: waits}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.loops, h)
	}
}

// Check returns how many peers are up, as the control goroutine tells until ctx is
// done. The error says that the control goroutine does not answer, or that a packet
// loop is stuck: in two calls at least ten seconds apart it was busy with the same
// packet. It is one of ctx's, too, if the tunnel has ended.
func (v *Vitals) Check(ctx context.Context) (c Census, err error) {
	err = v.events.ask(ctx, func(control *controller, now time.Time) {
		c.All = len(control.peers)
		for _, p := range control.peers {
			if p.state() == status.PeerEstablished {
				c.Up++
			}
		}
	})
	if err != nil {
		return Census{}, fmt.Errorf("the control goroutine does not answer: %w", err)
	}
	return c, v.stuck(time.Now())
}

// stuck looks at the packet loops.
func (v *Vitals) stuck(now time.Time) (err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for h, seen := range v.loops {
		turn, working := h.beat()
		switch {
		case !working || seen.waits != nil && seen.waits():
			seen.since = time.Time{}
		case seen.since.IsZero() || turn != seen.turn:
			seen.turn, seen.since = turn, now
		case now.Sub(seen.since) >= stuckAfter:
			err = fmt.Errorf("a %s has been busy with one packet for %v", seen.what, now.Sub(seen.since).Round(time.Second))
		}
	}
	return err
}
