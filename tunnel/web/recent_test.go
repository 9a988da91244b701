package web

import (
	"context"
	"io"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fathom/tunnel/status"
)

// TestManyAskForTheStatus, and leave or stay: the tunnel takes it once a second.
func TestManyAskForTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := tunnel{taken: make(chan struct{}, 10000)}
		l, stop := serveInMemory(source)
		defer stop()
		for range 10 {
			for range 30 {
				for _, path := range []string{"/status", "/metrics"} {
					conn := l.ask(path)
					go func() { io.Copy(io.Discard, conn); conn.Close() }()
					synctest.Wait()
					conn.Close()
				}
			}
			time.Sleep(tick)
		}
		if n := len(source.taken); n != 10 {
			t.Errorf("taken %d times in ten seconds", n)
		}
	})
}

// slow is a tunnel that takes a second for each answer.
type slow struct {
	tunnel
	now, most, sum *atomic.Int64 // of calls
}

func newSlow() slow { return slow{tunnel{}, new(atomic.Int64), new(atomic.Int64), new(atomic.Int64)} }

func (s slow) works() {
	s.sum.Add(1)
	s.most.Store(max(s.most.Load(), s.now.Add(1)))
	time.Sleep(time.Second)
	s.now.Add(-1)
}

func (s slow) Status(ctx context.Context) (*status.Status, error) {
	s.works()
	return s.tunnel.Status(ctx)
}

func (s slow) History(ctx context.Context, q status.HistoryQuery) (*status.History, error) {
	s.works()
	return s.tunnel.History(ctx, q)
}

// TestAFewDocumentsAreMadeAtOnce for 60 clients, each of whom waits for ten seconds.
func TestAFewDocumentsAreMadeAtOnce(t *testing.T) {
	for _, test := range []struct {
		path                      string
		atOnce                    int64
		leastAnswers, mostAnswers int64
		leastMade, mostMade       int64
	}{
		{"/status", 1, 60, 60, 1, 1}, // one for all
		{"/history?peer=storage&seconds=60", maxHistories, 10 * maxHistories, 11 * maxHistories, 10 * maxHistories, 11 * maxHistories},
	} {
		synctest.Test(t, func(t *testing.T) {
			source := newSlow()
			h := handler(source, newStream(source), noLog)
			var clients sync.WaitGroup
			answers := make([]atomic.Int64, 600)
			for range 60 {
				clients.Go(func() {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", test.path, nil))
					answers[w.Code].Add(1)
				})
			}
			clients.Wait()
			made, answered, refused := source.sum.Load(), answers[200].Load(), answers[503].Load()
			if source.most.Load() != test.atOnce || made < test.leastMade || made > test.mostMade ||
				answered < test.leastAnswers || answered > test.mostAnswers || answered+refused != 60 {
				t.Errorf("%s: %d made, %d at once; %d answers, %d refused", test.path, made, source.most.Load(), answered, refused)
			}
		})
	}
}

// TestWhoLeavesEarlyDoesNotHaveTheStatusTakenAgain for the next.
func TestWhoLeavesEarlyDoesNotHaveTheStatusTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSlow()
		r := newRecent(source)
		var clients sync.WaitGroup
		for i := range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*50*time.Millisecond)
			defer cancel()
			clients.Go(func() { _, _ = r.Status(ctx) })
		}
		clients.Wait()
		if n := source.sum.Load(); n != 1 {
			t.Errorf("taken %d times", n)
		}
	})
}
