//go:build linux

package test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestHandshakesThatCross has both ends call each other at the same moment, where
// neither can tell in time that the other calls: at different addresses, or over a
// path that is slower than their patience. From the first moment that both are up
// no packet is lost, they end on one SA pair, and neither follows the other to and fro.
func TestHandshakesThatCross(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	const interval = 10 * time.Millisecond
	datagrams := int64(15 * time.Second / interval) // longer than a replaced pair receives
	if tier.Full() {
		datagrams = int64(5 * time.Minute / interval)
	}
	for _, test := range []struct {
		rtt    time.Duration
		family string // of the address at which b is called
	}{
		{40 * time.Millisecond, "IPv6"},
		{300 * time.Millisecond, "IPv4"},
		{600 * time.Millisecond, "IPv4"},
		{1200 * time.Millisecond, "IPv4"},
	} {
		t.Run(fmt.Sprintf("%v, b is called by %s", test.rtt, test.family), func(t *testing.T) {
			t.Parallel()
			l := newUserPair(t, "", test.rtt/2)
			if test.family == "IPv6" {
				check(t, l.a.Configure("", gateway.Peer{Gateway: l.b, Endpoint: net.JoinHostPort(l.link.B.Addr6().String(), fmt.Sprint(gateway.Port))}))
			}
			up(t, l.a, l.b)
			forth := startStream(t, l.A, l.B, innerB4, 200, interval)
			back := startStream(t, l.B, l.A, innerA4, 200, interval)
			for sent := datagrams / 20; sent <= datagrams; sent += datagrams / 20 {
				forth.reach(sent)
				back.reach(sent)
				if !matched(t, l) {
					t.Errorf("after %d datagrams the ends send on different SA pairs", sent)
				}
			}
			for name, flow := range map[string]*flow{"from a to b": forth, "from b to a": back} {
				if got := flow.stop(); got.lost > 0 || got.duplicated > 0 {
					t.Errorf("%s: %v", name, got)
				} else {
					t.Logf("%s: %v", name, got)
				}
			}
			for _, g := range []*gateway.Gateway{l.a, l.b} {
				s := statusOf(t, g)
				if n := s.Dropped["unknown_spi"]; n > 0 {
					t.Errorf("%s has dropped %d packets for their SPIs", g.Name, n)
				}
				moves := strings.Count(g.Log(), "msg=endpoint")
				if moves > 2 { // where the peer is found first counts as one
					t.Errorf("%s has moved its peer %d times: %+v", g.Name, moves, s.Peers[0].PathHistory)
				}
				tier.Figure(t, "%s at %v: %d handshakes, %d endpoint moves", g.Name, test.rtt, s.Peers[0].Handshakes, moves)
			}
		})
	}
}

// matched reports whether both ends come to send on one SA pair.
func matched(t *testing.T, l *userPair) bool {
	t.Helper()
	for range 20 {
		a, b := statusOf(t, l.a).Peers[0], statusOf(t, l.b).Peers[0]
		if a.SendSPI == b.ReceiveSPI && b.SendSPI == a.ReceiveSPI && a.State == status.PeerEstablished && b.State == status.PeerEstablished {
			return true
		}
		time.Sleep(200 * time.Millisecond) // a rekey may be under way
	}
	return false
}
