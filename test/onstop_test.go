//go:build linux

package test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
)

// refusedOn reports whether the host refuses to send to an address since no route
// leads there; that of the host's other routes would.
func refusedOn(t testing.TB, on *netlab.Host, address string) bool {
	t.Helper()
	conn, err := on.Dial("udp", net.JoinHostPort(address, "9"))
	if err != nil {
		return errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.ENETUNREACH)
	}
	conn.Close()
	return false
}

// TestOnStop: at its end the tunnel gives the host back as it was, or keeps what is
// for the peers from leaving in clear text. What a killed one has left behind the
// next takes over.
func TestOnStop(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	p := newGatewayPair(t, "")
	check(t, p.b.Start())
	settledState(t, p)
	untouched := hostState(t, p) + routingOf(t, p.A)
	uplink := p.Left.A.Capture()
	for _, step := range []struct {
		name    string
		extra   string
		kill    bool
		blocked bool
	}{
		{"release", "", false, false},
		{"killed", "", true, true},
		{"release after that", "", false, false},
		{"block", `on_stop = "block"`, false, true},
		{"block again", `on_stop = "block"`, false, true},
		{"release at last", `on_stop = "release"`, false, false},
		{"without routes", "routes = false\non_stop = \"block\"", false, false},
	} {
		check(t, p.a.Configure(step.extra, gateway.Peer{Gateway: p.b, Endpoint: p.endpoint(p.Right.B, overIPv4), Routed: []string{farNet4, farNet6}}))
		up(t, p.a)
		if !strings.Contains(step.extra, "routes") {
			pinger(t, p.A, farHost4)
			pinger(t, p.A, farHost6)
		}
		if leaked := inClear(uplink); leaked > 0 {
			t.Fatalf("%s: %d packets in clear text", step.name, leaked)
		}
		if step.kill {
			p.a.Kill()
		} else {
			check(t, p.a.Stop())
		}
		if step.blocked { // nobody puts it back, and the second line is left
			check(t, p.A.Do(func() error { return deleteRoute(farNet4, unix.RTN_UNREACHABLE) }))
		}
		for _, address := range []string{farHost4, farHost6, innerB4, innerB6} {
			if refused := refusedOn(t, p.A, address); refused != step.blocked {
				t.Errorf("%s: %s refused %v", step.name, address, refused)
			}
		}
		if now := hostState(t, p) + routingOf(t, p.A); now == untouched == step.blocked {
			t.Errorf("%s: the host has\n%s\nbefore\n%s", step.name, now, untouched)
		}
	}
}

// TestNoPlaceForTheSecondLine: behind a rule of the administrator's the tunnel does
// without, says so, and runs.
func TestNoPlaceForTheSecondLine(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	p := newGatewayPair(t, "")
	run(t, p.A, "ip", "rule", "add", "from", "192.0.2.5", "lookup", "52")
	before := run(t, p.A, "ip", "rule")
	up(t, p.a, p.b)
	pinger(t, p.A, farHost4)
	pinger(t, p.A, farHost6)
	if log := p.a.Log(); strings.Count(log, "no second line of guards") != 1 || !strings.Contains(log, "no second line of guards for IPv4: rules of the host") {
		t.Errorf("log:\n%s", log)
	}
	if now := run(t, p.A, "ip", "rule"); now != before {
		t.Errorf("rules\n%s\nbefore\n%s", now, before)
	}
	if now := run(t, p.A, "ip", "-6", "rule"); !strings.Contains(now, "lookup 4600") {
		t.Errorf("IPv6 has\n%s", now)
	}
}
