//go:build linux

package main

import (
	"context"
	"sync"
	"time"
)

// weather is how the path changes during a transfer. When a share of the bytes
// has arrived, the link between the routers gets another MTU. No router reports
// it.
var weather = []struct {
	share float64
	mtu   int
}{{0.15, 1400}, {0.35, 1000}, {0.5, 1500}}

// changeWeather changes the path until stop is called. The path of a transfer at
// full speed stays unchanged.
func (d *demo) changeWeather(path *labPath, arrived *arrivals, changes *pathChanges) (stop func()) {
	if d.duration == 0 {
		return func() {}
	}
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		next := 0
		for tick := time.NewTicker(10 * time.Millisecond); next < len(weather); {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			if share := float64(arrived.bytes.Load()) / float64(d.size); share >= weather[next].share {
				before := path.middle.A.MTU()
				path.middle.SetMTU(weather[next].mtu)
				changes.add(time.Now(), before, weather[next].mtu)
				next++
			}
		}
	})
	return func() { close(quit); done.Wait() }
}

// sizes returns what is known of the path, nil if nothing is, or if it stays as it is.
func (d *demo) sizes(ctx context.Context, path *labPath, a *end) *sizes {
	if d.duration == 0 {
		return nil
	}
	peer, err := a.peer(ctx)
	if err != nil {
		return nil
	}
	return &sizes{path.middle.A.MTU(), peer.PMTUD.PLPMTU}
}
