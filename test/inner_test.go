//go:build linux

package test

import (
	"fmt"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/tier"
)

// TestTrafficOfEveryKind sends ICMP, UDP, interactive TCP and bulk TCP in both
// directions, for each address family inside each outside.
func TestTrafficOfEveryKind(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Superlinks)
	for _, family := range []struct {
		name     string
		outer    outer
		overhead int // of IP, UDP and ESP around a full-sized inner packet
	}{{"IPv4", overIPv4, 62}, {"IPv6", overIPv6, 82}} {
		t.Run("over "+family.name, func(t *testing.T) {
			p := newPair(t, family.outer, "")
			up(t, p.a, p.b)
			exact(t, p.a, netlab.EthernetMTU)
			exact(t, p.b, netlab.EthernetMTU)
			innerMTU := statusOf(t, p.a).Peers[0].PMTUD.InnerMTU
			if want := netlab.EthernetMTU - family.overhead; innerMTU != want {
				t.Errorf("inner MTU %d, want %d", innerMTU, want)
			}
			for _, way := range []struct {
				name     string
				from, to *netlab.Host
				address  string
				header   int // of IP and ICMP
			}{
				{"IPv4 from a to b", p.A, p.B, innerB4, 28},
				{"IPv4 from b to a", p.B, p.A, innerA4, 28},
				{"IPv6 from a to b", p.A, p.B, innerB6, 48},
				{"IPv6 from b to a", p.B, p.A, innerA6, 48},
			} {
				t.Run(way.name, func(t *testing.T) {
					pinger(t, way.from, way.address)
					pinger(t, way.from, way.address, "-M", "do", "-s", fmt.Sprint(innerMTU-way.header))
					flow := startStream(t, way.from, way.to, way.address, 1200, 2*time.Millisecond)
					slowest := keystrokes(t, way.from, way.to, way.address, 50)
					if s := flow.reach(50).stop(); s.sent == 0 || s.lost > 0 || s.duplicated > 0 {
						t.Errorf("UDP: %v", s)
					}
					r := bulk(t, way.from, way.to, way.address, 16<<20)
					t.Logf("%d MiB in %v, slowest keystroke %v", r.bytes>>20, r.elapsed.Round(time.Millisecond), slowest.Round(time.Microsecond))
				})
			}
			for _, g := range []*struct {
				name  string
				drops map[string]uint64
			}{{"a", statusOf(t, p.a).Peers[0].Dropped}, {"b", statusOf(t, p.b).Peers[0].Dropped}} {
				if len(g.drops) > 0 {
					t.Errorf("%s dropped packets: %v", g.name, g.drops)
				}
			}
		})
	}
}
