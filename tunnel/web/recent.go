package web

import (
	"context"
	"time"

	"fathom/tunnel/status"
)

// recent is a Source whose status is at most a tick old. However many clients ask, and
// however soon they leave, the tunnel takes it once in a tick, for one of them at a time.
type recent struct {
	Source
	turn chan struct{} // holds one entry while somebody has the fields below
	last *status.Status
	at   time.Time
}

func newRecent(source Source) *recent { return &recent{Source: source, turn: make(chan struct{}, 1)} }

// Status returns the last status, or a new one. It is shared: nobody may change it. A
// client that leaves does not end the work, which would be done in vain.
func (r *recent) Status(ctx context.Context) (*status.Status, error) {
	if !enter(ctx, r.turn) {
		return nil, context.Cause(ctx)
	}
	defer func() { <-r.turn }()
	if r.last != nil && time.Since(r.at) < tick {
		return r.last, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	now, err := r.Source.Status(ctx)
	if err == nil {
		r.last, r.at = now, time.Now()
	}
	return now, err
}
