//go:build linux

package test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"fathom/test/crowd"
	"fathom/test/gateway"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

const year = 365 * 24 * time.Hour

// TestWrongClocksKeepNobodyOut lets simulated peers, whose wall clock is their own,
// call a tunnel and be called by it. How many round trips that takes is tested in
// virtual time: TestClocksKeepNobodyOut.
func TestWrongClocksKeepNobodyOut(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	const peers = 3
	const behind, ahead = "the peer's clock is behind what it told before", "the peer's clock is far ahead of this host's"
	const oursAhead = "this host's clock is far ahead of the peer's"
	at, beside := crowd.Hosts(labtest.New(t))
	hub := newGateway(t, at, crowd.HubInner)
	c, err := crowd.New(beside, peers)
	check(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	told := func(what string) int { return strings.Count(hub.Log(), what) }
	up := func(name string, join func() error) {
		t.Helper()
		c.Close() // they crash
		began := time.Now()
		check(t, join())
		check(t, c.Await(ctx))
		t.Logf("%s: up after %v", name, time.Since(began).Round(time.Millisecond))
	}
	call := func() error { return c.Join(hub.Public, crowd.HubOuter) }

	check(t, hub.Configure("", c.Peers()...))
	check(t, hub.Start())
	statusOf(t, hub)
	for _, step := range []struct {
		name  string
		ahead time.Duration
	}{
		{"right clocks", 0}, {"peers that are back with clocks an hour slow", -time.Hour}, {"ten years fast", 10 * year},
		{"right again", 0}, {"ten years slow", -10 * year}, {"right at last", 0},
	} {
		c.SetClock(step.ahead)
		up(step.name, call)
		if step.ahead == 0 {
			found(t, hub)
		} else {
			found(t, hub, slices.Repeat([]status.FindingCode{status.FindingClock}, peers)...)
		}
	}
	if b, a := told(behind), told(ahead); b == 0 || a+b > peers {
		t.Errorf("told %d and %d times:\n%s", b, a, hub.Log())
	}

	// A hub that remembers nothing doubts what may be from before.
	check(t, hub.Stop())
	check(t, hub.Start())
	statusOf(t, hub)
	c.SetClock(-time.Hour)
	up("slow ones after a restart of the other end", call)

	// The peers find the hub's clock wrong, by theirs; only the hub calls.
	check(t, hub.Stop())
	called := c.Peers()
	for n, endpoint := range c.Endpoints() {
		called[n].Endpoint = endpoint
	}
	check(t, hub.Configure("", called...))
	c.SetClock(-10 * year)
	up("called by a hub that they find ten years fast", func() error {
		check(t, c.Answer(hub.Public, crowd.HubOuter))
		return hub.Start()
	})
	if n := told(oursAhead); n != peers {
		t.Errorf("told %d times:\n%s", n, hub.Log())
	}
	if !gateway.Established(statusOf(t, hub)) {
		t.Error("the hub does not show all peers as established")
	}
}
