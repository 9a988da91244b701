//go:build linux

package test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/tier"
)

// TestMetricsCostTheDataPathNothing compares transfers through two tunnels in turn: one
// that serves metrics, scraped ten times a second, with a page open at each end, and one
// that serves nothing.
func TestMetricsCostTheDataPathNothing(t *testing.T) {
	tier.Select(t, tier.Measures, tier.Long, tier.EitherWay)
	with, without := newPair(t, overIPv4, serveMetrics), newPair(t, overIPv4, "")
	up(t, with.a, with.b, without.a, without.b)
	watched(t, with.a)
	watched(t, with.b)
	compareRates(t, "metrics", with, without)
}

// TestSightCostsTheDataPathNothing is the same with everything that shows what goes on,
// the history in a file included, against a tunnel that has none of it.
func TestSightCostsTheDataPathNothing(t *testing.T) {
	tier.Select(t, tier.Measures, tier.LongOnly, tier.EitherWay)
	with, without := newPair(t, overIPv4, serveMetrics), newPair(t, overIPv4, `history_file = ""`)
	up(t, with.a, with.b, without.a, without.b)
	watched(t, with.a)
	watched(t, with.b)
	compareRates(t, "metrics and a history", with, without)
}

// compareRates compares transfers through a pair that has something with those through one
// without.
func compareRates(t *testing.T, what string, with, without *pair) {
	t.Helper()
	rounds, size := 5, int64(64<<20)
	if tier.Full() {
		rounds, size = 15, 1<<30
	}
	var rates [2][]float64 // bytes per second
	for range rounds {
		for i, p := range []*pair{without, with} {
			r := bulk(t, p.A, p.B, innerB4, size)
			rates[i] = append(rates[i], float64(r.bytes)/r.elapsed.Seconds())
		}
	}
	median := func(rates []float64) float64 { slices.Sort(rates); return rates[len(rates)/2] }
	plain, shown := median(rates[0]), median(rates[1])
	tier.Figure(t, "one TCP stream, medians of %d rounds: %.2f Gbit/s without %s, %.2f with, ratio %.2f", rounds, 8*plain/1e9, what, 8*shown/1e9, shown/plain)
	if shown < 0.8*plain {
		t.Errorf("with %s %.2f of the throughput", what, shown/plain)
	}
}

// watched scrapes a gateway and reads its events until the test ends.
func watched(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	t.Cleanup(func() { cancel(); readers.Wait() })
	client := http.Client{Transport: &http.Transport{DialContext: g.Host.DialContext}}
	read := func(path string) {
		request, err := http.NewRequestWithContext(ctx, "GET", "http://"+metricsAt+path, nil)
		if err != nil {
			return
		}
		if r, err := client.Do(request); err == nil {
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
	}
	readers.Go(func() { read("/events") })
	readers.Go(func() {
		for tick := time.NewTicker(100 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			read("/metrics")
		}
	})
}
