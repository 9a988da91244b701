package udp

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// gaugeWindow is how long a gauge looks before it judges.
	gaugeWindow = 100 * time.Millisecond
	// An outlet is crowded when its data takes crowdedFor to leave, and full when
	// it takes fullFor; but never before it has minCrowded and minFull bytes.
	crowdedFor = 25 * time.Millisecond
	fullFor    = 200 * time.Millisecond
	minCrowded = 16 << 10
	minFull    = 64 << 10
)

// gauge knows how much an outlet carries, and so how much may wait in it: a socket
// buffer that keeps a fast link busy would hold a slow one's data for a second. Any
// number of goroutines may use it.
type gauge struct {
	// Bytes from which on the outlet is crowded and full, as the kernel counts.
	crowded, full atomic.Int64

	mu      sync.Mutex // guards what follows
	carries float64    // bytes a second, as far as is known
	began   time.Duration
	sent    int64 // at the beginning of the window
	level   int   // the same
	low     int   // the lowest level since
}

// reset begins anew for an outlet about which nothing is known: half of it may be
// used.
func (g *gauge) reset(now time.Duration, sent int64, level, limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set(0, limit)
	g.crowded.Store(int64(limit / 4))
	g.full.Store(int64(limit / 2))
	g.begin(now, sent, level)
}

func (g *gauge) begin(now time.Duration, sent int64, level int) {
	g.began, g.sent, g.level, g.low = now, sent, level, level
}

// set derives the marks from what the outlet carries.
func (g *gauge) set(carries float64, limit int) {
	g.carries = carries
	g.crowded.Store(int64(min(max(carries*crowdedFor.Seconds(), minCrowded), float64(limit/2))))
	g.full.Store(int64(min(max(carries*fullFor.Seconds(), minFull), float64(limit))))
}

// observe takes in how many bytes have been sent so far, how many of them are in
// the outlet now, and its size. Of several that observe at once one is heard.
func (g *gauge) observe(now time.Duration, sent int64, level, limit int) {
	if !g.mu.TryLock() {
		return
	}
	defer g.mu.Unlock()
	g.low = min(g.low, level)
	elapsed := now - g.began
	if elapsed < gaugeWindow {
		return
	}
	carried := float64(max(0, sent-g.sent+int64(g.level-level))) / elapsed.Seconds()
	if g.low == 0 {
		// It was empty: it may carry more than it was given.
		carried = max(carried, g.carries)
	}
	g.set(carried, limit)
	g.begin(now, sent, level)
}
