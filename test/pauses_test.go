//go:build linux

package test

import (
	"sync"
	"testing"
	"time"
)

// pauses watches flows, and knows for how long at most nothing has arrived of each.
type pauses struct {
	t       testing.TB
	flows   []*flow
	quit    chan struct{}
	running sync.WaitGroup

	// Of the goroutine, until it has ended.
	longest []time.Duration
}

// watch begins to watch flows that go on.
func watch(t testing.TB, flows ...*flow) *pauses {
	p := &pauses{t: t, flows: flows, quit: make(chan struct{}), longest: make([]time.Duration, len(flows))}
	p.more(flows...) // all have begun to arrive
	p.running.Go(p.run)
	return p
}

func (p *pauses) run() {
	last := make([]time.Time, len(p.flows))
	seen := make([]int64, len(p.flows))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i, f := range p.flows {
		seen[i], last[i] = f.arrived.Load(), time.Now()
	}
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		now := time.Now()
		for i, f := range p.flows {
			if n := f.arrived.Load(); n != seen[i] {
				p.longest[i] = max(p.longest[i], now.Sub(last[i]))
				seen[i], last[i] = n, now
			}
		}
	}
}

// more waits until so many more have arrived of each of some flows that what was under
// way before has.
func (p *pauses) more(flows ...*flow) {
	p.t.Helper()
	const enough = 100
	for _, f := range flows {
		from := f.arrived.Load()
		for deadline := time.Now().Add(within); f.arrived.Load() < from+enough; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				p.t.Fatalf("%s: %d datagrams sent, %d arrived; then nothing arrives", f.name, f.sent.Load(), f.arrived.Load())
			}
		}
	}
}

// end returns the longest pause of each flow, in the order of watch. The flows still go
// on.
func (p *pauses) end() []time.Duration {
	p.more(p.flows...)
	close(p.quit)
	p.running.Wait()
	return p.longest
}
