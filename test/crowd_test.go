//go:build linux

package test

import (
	"context"
	"slices"
	"testing"
	"time"

	"fathom/test/crowd"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// crowdCosts is the CPU time of a hub with a crowd of peers.
type crowdCosts struct {
	start, restart time.Duration // until all peers are up
	routes         time.Duration // while foreign routes come and go
}

// costOfCrowd runs a hub with a number of simulated peers.
func costOfCrowd(t *testing.T, peers int) (costs crowdCosts) {
	t.Helper()
	at, beside := crowd.Hosts(labtest.New(t))
	hub := newGateway(t, at, crowd.HubInner)
	c, err := crowd.New(beside, peers)
	check(t, err)
	check(t, hub.Configure("", c.Peers()...))
	check(t, c.Join(hub.Public, crowd.HubOuter))
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	used := func() time.Duration {
		t.Helper()
		d, err := hub.CPU()
		check(t, err)
		return d
	}
	start := func(name string) time.Duration {
		t.Helper()
		began := time.Now()
		check(t, hub.Start())
		check(t, c.Await(ctx))
		took, cpu := time.Since(began), used()
		await(t, hub, gateway.Established)
		tier.Figure(t, "%d peers, %s: all up after %.2f s, CPU time %.2f s", peers, name, took.Seconds(), cpu.Seconds())
		return cpu
	}

	costs.start = start("cold start")
	costs.routes = costOfRoutes(t, at, used)
	tier.Figure(t, "%d peers, %d foreign routes a second: %.1f %% of a core", peers, routesPerSecond, 100*costs.routes.Seconds()/churning.Seconds())
	check(t, hub.Stop())
	check(t, c.AwaitDown(ctx))
	costs.restart = start("restart")
	return costs
}

const routesPerSecond, churning = 200, 2 * time.Second

// costOfRoutes returns the CPU time that routes of others take beside all else that the hub
// does, of which there is more with more peers: the median of three differences.
func costOfRoutes(t *testing.T, at *netlab.Host, used func() time.Duration) time.Duration {
	t.Helper()
	costs := make([]time.Duration, 3)
	for i := range costs {
		began := used()
		time.Sleep(churning)
		quiet := used()
		churn, stop := context.WithTimeout(t.Context(), churning)
		check(t, crowd.Churn(churn, at, routesPerSecond))
		stop()
		costs[i] = max(0, used()-quiet-(quiet-began))
		t.Logf("CPU time: %v without, %v with foreign routes", quiet-began, used()-quiet)
	}
	slices.Sort(costs)
	return costs[1]
}

// TestAHubCostsWhatItsPeersDo: a start takes no more CPU time a peer with many
// peers than with few, and foreign routes cost the same with both.
func TestAHubCostsWhatItsPeersDo(t *testing.T) {
	tier.Select(t, tier.Measures, tier.EitherWay)
	few, many := 50, 500
	if tier.Full() {
		few, many = 300, 3000
	}
	with, withMany := costOfCrowd(t, few), costOfCrowd(t, many)
	const noise = 20 * time.Millisecond // of other work, whatever the number of peers
	for _, c := range []struct {
		of        string
		few, many time.Duration
		growth    int // that is fair
	}{
		{"a cold start", with.start, withMany.start, many / few},
		{"a restart", with.restart, withMany.restart, many / few},
		{"foreign routes", with.routes, withMany.routes, 1},
	} {
		if most := 2 * time.Duration(c.growth) * (c.few + noise); c.many > most {
			t.Errorf("%s: %v of CPU time with %d peers, %v with %d: more than %v", c.of, c.few, few, c.many, many, most)
		}
	}
}
