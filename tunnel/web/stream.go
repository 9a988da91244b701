package web

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"fathom/tunnel/status"
)

const (
	// maxReaders is how many clients read events at once; more are refused.
	maxReaders = 16
	// tick is the time between two events, where peers are few: see interval.
	tick = time.Second
	// timePerPeer is how much longer it takes for each peer.
	timePerPeer = 20 * time.Millisecond
	// retryAfter is how many seconds a client that was refused has to wait.
	retryAfter = "5"
)

// interval is the time between two events: a second for up to 50 peers. With more it
// grows, so that events take the same share of a CPU, whatever the number of peers.
func interval(peers int) time.Duration { return max(tick, time.Duration(peers)*timePerPeer) }

// stream sends the status to readers, again and again. It is an http.Handler of
// server-sent events. One goroutine takes the status while there is a reader.
type stream struct {
	source Source

	mu      sync.Mutex
	readers map[chan []byte]struct{} // guarded by mu; each has room for one event
	last    []byte                   // guarded by mu; nil: nothing was sent to those
	stop    context.CancelFunc       // guarded by mu; nil: nobody takes the status
	closed  bool                     // guarded by mu
	taker   sync.WaitGroup
}

func newStream(source Source) *stream {
	return &stream{source: source, readers: make(map[chan []byte]struct{})}
}

// event is what the page is sent, as JSON.
type event struct {
	// Now is the tunnel's clock, which all times are told by. The browser's may differ.
	Now time.Time `json:"now"`
	// Interval is the time in milliseconds until the next event.
	Interval int64          `json:"interval_ms"`
	Status   *status.Status `json:"status,omitempty"`
	// Trouble says why there is no status.
	Trouble string `json:"trouble,omitempty"`
}

// enter adds a reader, who gets what the others got last. It returns nil if there are too
// many.
func (s *stream) enter() (reader chan []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.readers) == maxReaders {
		return nil
	}
	reader = make(chan []byte, 1)
	s.readers[reader] = struct{}{}
	if s.last != nil {
		reader <- s.last
	}
	if s.stop == nil {
		var ctx context.Context
		ctx, s.stop = context.WithCancel(context.Background())
		s.taker.Go(func() { s.take(ctx) })
	}
	return reader
}

// leave takes a reader out. The last one to leave ends the work.
func (s *stream) leave(reader chan []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.readers, reader)
	if len(s.readers) == 0 {
		s.end()
	}
}

// end has nobody take the status any more. Called with mu held.
func (s *stream) end() {
	if s.stop != nil {
		s.stop()
	}
	s.stop, s.last = nil, nil
}

// close ends the work for good.
func (s *stream) close() {
	s.mu.Lock()
	s.closed = true
	s.end()
	s.mu.Unlock()
	s.taker.Wait()
}

// take sends events to all readers until ctx ends.
func (s *stream) take(ctx context.Context) {
	for {
		e := s.next(ctx)
		if ctx.Err() != nil {
			return
		}
		text, err := json.Marshal(e)
		if err != nil { // an infinite number, which no status has
			text, _ = json.Marshal(event{Now: e.Now, Interval: e.Interval, Trouble: err.Error()})
		}
		s.send(ctx, text)
		select {
		case <-time.After(time.Duration(e.Interval) * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

func (s *stream) next(ctx context.Context) event {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	now, err := s.source.Status(ctx)
	e := event{Now: time.Now(), Interval: tick.Milliseconds()}
	if err != nil {
		e.Trouble = "the tunnel does not tell its status: " + err.Error()
	} else {
		e.Status, e.Interval = now, interval(len(now.Peers)).Milliseconds()
	}
	return e
}

// send gives an event to all readers, unless ctx has ended. One that has not read the
// last misses that.
func (s *stream) send(ctx context.Context, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return // others may take the status now
	}
	s.last = text
	for reader := range s.readers {
		select {
		case <-reader:
		default:
		}
		reader <- text // there is room: nobody else writes, as mu is held
	}
}

// ServeHTTP sends events until the client leaves, or does not take one in time.
func (s *stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reader := s.enter()
	if reader == nil {
		w.Header().Set("Retry-After", retryAfter)
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer s.leave(reader)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	out.SetReadDeadline(time.Time{}) // the client has nothing more to say
	for {
		select {
		case text := <-reader:
			out.SetWriteDeadline(time.Now().Add(timeout))
			if !write(w, "data: ", string(text), "\n\n") || out.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

func write(w http.ResponseWriter, parts ...string) bool {
	for _, p := range parts {
		if _, err := w.Write([]byte(p)); err != nil {
			return false
		}
	}
	return true
}
