//go:build linux

package test

import (
	"testing"
	"time"

	"fathom/esp"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestRekeyUnderLoad replaces the SAs many times while datagrams and bulk data
// flow both ways: not one packet may be lost.
func TestRekeyUnderLoad(t *testing.T) {
	tier.Select(t, tier.Superlinks)
	const rekeys = 20
	// The limit in packets is the least that the configuration admits; both
	// kinds of limit come into play.
	p := newPair(t, overIPv4, "rekey_after_packets = 1000\nrekey_after = \"1s\"")
	up(t, p.a, p.b)
	before := statusOf(t, p.a).Peers[0].Handshakes
	forth := startStream(t, p.A, p.B, innerB4, 300, 400*time.Microsecond)
	back := startStream(t, p.B, p.A, innerA6, 300, 400*time.Microsecond)
	// Packets that a host drops for want of room prove nothing.
	client, server := connectWithin(t, p.A, p.B, innerB4, 128<<10)
	data := transferOver(t, paced{client, 8 << 20}, server)
	began := time.Now()
	s := await(t, p.a, func(s *status.Status) bool { return s.Peers[0].Handshakes >= before+rekeys })
	data.stop()
	for name, stream := range map[string]*flow{"from a to b": forth, "from b to a": back} {
		got := stream.stop()
		t.Logf("%s: %v during %d rekeys in %v", name, got, s.Peers[0].Handshakes-before, time.Since(began).Round(time.Millisecond))
		if got.lost > 0 || got.duplicated > 0 || got.displaced >= esp.WindowSize {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, g := range map[string]*status.Status{"a": statusOf(t, p.a), "b": statusOf(t, p.b)} {
		for _, drops := range []map[string]uint64{g.Dropped, g.Peers[0].Dropped} {
			for reason, n := range drops {
				if reason == "handshake" {
					continue // the later of two that crossed
				}
				t.Errorf("%s dropped %d packets: %s", name, n, reason)
			}
		}
	}
}

// TestRekeyOverALossyPath loses every fourth handshake message while both ends
// replace their keys every second: data still must not be lost.
func TestRekeyOverALossyPath(t *testing.T) {
	tier.Select(t)
	l := newUserPair(t, "rekey_after = \"1s\"", 5*time.Millisecond)
	up(t, l.a, l.b)
	before := statusOf(t, l.a).Peers[0].Handshakes
	l.link.SetFilter(loseHandshakes(4))
	data := startStream(t, l.A, l.B, innerB4, 200, 2*time.Millisecond)
	await(t, l.a, func(s *status.Status) bool { return s.Peers[0].Handshakes >= before+4 })
	if got := data.stop(); got.lost > 0 || got.duplicated > 0 {
		t.Errorf("%v", got)
	}
	if lost := l.link.AtoB.Counters().Filtered + l.link.BtoA.Counters().Filtered; lost == 0 {
		t.Error("no handshake message was lost")
	}
}

// TestHandshakeOverALossyPath comes up over a path with 5 % loss and with 30 %.
func TestHandshakeOverALossyPath(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel() // it waits for most of the time
	for _, test := range []struct {
		name string
		loss float64
	}{{"5 % loss", 0.05}, {"30 % loss", 0.3}} {
		t.Run(test.name, func(t *testing.T) {
			l := newUserPair(t, "", 10*time.Millisecond)
			l.link.Update(func(c *conditions) { c.Loss = test.loss })
			for range 5 {
				began := time.Now()
				up(t, l.a, l.b)
				t.Logf("established after %v", time.Since(began).Round(time.Millisecond))
				l.link.Update(func(c *conditions) { c.Loss = 0 })
				check(t, l.a.Stop())
				check(t, l.b.Stop())
				l.link.Update(func(c *conditions) { c.Loss = test.loss })
			}
		})
	}
}

// TestHandshakeBehindTheFirstLoss loses exactly the message that a handshake
// begins with, or the answer to it. How soon the retry comes is tested in virtual
// time: TestAHandshakeIsSoonTriedAgain.
func TestHandshakeBehindTheFirstLoss(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	labtest.Require(t)
	for _, test := range []struct {
		name string
		kind byte
	}{{"the initiation is lost", 1}, {"the response is lost", 2}} {
		t.Run(test.name, func(t *testing.T) {
			l := newUserPair(t, "", 5*time.Millisecond)
			l.link.SetFilter(loseFirst(test.kind))
			check(t, l.b.Start())
			statusOf(t, l.b)
			began := time.Now()
			check(t, l.a.Start())
			await(t, l.a, func(s *status.Status) bool { return s.Up() })
			t.Logf("established after %v", time.Since(began).Round(time.Millisecond))
		})
	}
}
