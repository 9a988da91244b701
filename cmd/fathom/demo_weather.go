//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// weather is what happens to the path during a transfer: at a share of its
// bytes the link between the routers gets another MTU, and no router says so.
var weather = []struct {
	share float64
	mtu   int
}{{0.15, 1400}, {0.35, 1000}, {0.5, 1500}}

// changeWeather lets it happen until the returned function is called. A
// transfer that is not spread over time has none.
func (d *demo) changeWeather(path *labPath, arrived *arrivals) (stop func()) {
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
				path.middle.SetMTU(weather[next].mtu)
				next++
			}
		}
	})
	return func() { close(quit); done.Wait() }
}

// sizes says for a line of progress how large packets may be: on the path, and
// by what the tunnel has found.
func (d *demo) sizes(ctx context.Context, path *labPath, a *end) string {
	if d.duration == 0 {
		return ""
	}
	peer, err := a.peer(ctx)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("  path mtu %4d  plpmtu %4d", path.middle.A.MTU(), peer.PMTUD.PLPMTU)
}
