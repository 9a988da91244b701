package web

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// warnings is a slog.Handler that counts them.
type warnings struct {
	slog.Handler
	n *atomic.Int64
}

func (w warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (w warnings) Handle(context.Context, slog.Record) error        { w.n.Add(1); return nil }

// TestAListenerThatCannotBeOpenedIsTriedAgain ever less often, with one warning, and serves
// once it can be.
func TestAListenerThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := make(pipes)
		began := time.Now()
		var tried []time.Duration
		listen := func() (net.Listener, error) {
			if tried = append(tried, time.Since(began)); len(tried) <= 8 {
				return nil, errors.New("address already in use")
			}
			return l, nil
		}
		warned := new(atomic.Int64)
		pages := open(listen, slog.New(warnings{slog.DiscardHandler, warned}))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); pages.Serve(ctx, tunnel{}) }()
		conn := l.ask("/status")
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", r, err)
		}
		conn.Close()
		want := []time.Duration{0, 1, 3, 7, 15, 31, 61, 91, 121}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(tried, want) || warned.Load() != 1 {
			t.Errorf("tried after %v, with %d warnings", tried, warned.Load())
		}
		cancel()
		<-done
	})
}

// TestTheEndOfTheTunnelEndsTheAttempts to open a listener.
func TestTheEndOfTheTunnelEndsTheAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pages := open(func() (net.Listener, error) { return nil, errors.New("never") }, noLog)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour+time.Millisecond)
		defer cancel()
		began := time.Now()
		pages.Serve(ctx, tunnel{})
		if took := time.Since(began); took != time.Hour+time.Millisecond {
			t.Errorf("ended after %v", took)
		}
	})
}

// broken is a listener that fails.
type broken struct {
	pipes
	err error
}

func (b broken) Accept() (net.Conn, error) { return nil, b.err }
func (broken) Close() error                { return nil }

// TestAListenerThatFailsIsToldOf, unless it was closed.
func TestAListenerThatFailsIsToldOf(t *testing.T) {
	for err, want := range map[error]int64{errors.New("too many open files"): 1, net.ErrClosed: 0} {
		warned := new(atomic.Int64)
		Serve(t.Context(), broken{err: err}, tunnel{}, slog.New(warnings{slog.DiscardHandler, warned}))
		if warned.Load() != want {
			t.Errorf("%v: told of %d times", err, warned.Load())
		}
	}
}
