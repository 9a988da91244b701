//go:build linux

package test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestARenumberedPeerIsFollowed: b gets other addresses in both families at once, and
// the other end follows, also where b has nothing to say, and where its
// configuration does not tell where a is. How soon is a figure here, and exact in virtual
// time (TestARenumberedEndIsFollowedWithinASecond in package tunnel).
func TestARenumberedPeerIsFollowed(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	for _, test := range []struct {
		name       string
		family     outer
		configured bool
		quiet      bool
	}{
		{"quiet over IPv4", overIPv4, true, true},
		{"quiet over IPv6", overIPv6, true, true},
		{"quiet over IPv4 without endpoint", overIPv4, false, true},
		{"quiet over IPv6 without endpoint", overIPv6, false, true},
		{"with data over IPv4", overIPv4, false, false},
		{"with data over IPv6", overIPv6, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, test.family, "")
			if !test.configured {
				check(t, p.b.Configure("", gateway.Peer{Gateway: p.a}))
			}
			up(t, p.b, p.a)
			if !test.quiet {
				flow := startStream(t, p.B, p.A, innerA4, 1000, 20*time.Millisecond)
				defer flow.stop()
			}
			handshakes := statusOf(t, p.a).Peers[0].Handshakes
			moves := 4
			if tier.Full() {
				moves = 20
			}
			places := [][]netip.Prefix{netlab.Prefixes("10.2.0.2/24", "fd02::2/64"), netlab.Prefixes("10.2.0.3/24", "fd02::3/64")}
			var took []time.Duration
			for i := range moves {
				from, to := places[i%2], places[(i+1)%2]
				p.Right.B.RemoveAddress(from...)
				p.Right.B.AddAddress(to...)
				p.B.DefaultVia(p.Right.A.Addrs()...)
				began := time.Now()
				await(t, p.a, func(s *status.Status) bool {
					at, err := netip.ParseAddrPort(s.Peers[0].Endpoint)
					return err == nil && slices.ContainsFunc(to, func(p netip.Prefix) bool { return p.Addr() == at.Addr() })
				})
				took = append(took, time.Since(began))
			}
			// The start may have needed two: both ends have called.
			if n := statusOf(t, p.a).Peers[0].Handshakes - handshakes; n > 1 {
				t.Errorf("%d new handshakes", n)
			}
			slices.Sort(took)
			tier.Figure(t, "%s: followed after %v in the median of %v", test.name, took[len(took)/2], fmt.Sprint(took))
		})
	}
}
