//go:build linux

package test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// TestTheKernelRefusesASize: the kernel answers a send above a size with ENOBUFS, since the
// far end of the link takes less than its own interface says, or with EPERM, since a
// firewall of the host drops it. The discovery settles on what passes, and does not ask the
// kernel in a loop.
func TestTheKernelRefusesASize(t *testing.T) {
	tier.Select(t, tier.Superlinks)
	const (
		mtu   = 1280
		most  = 20 // refused sends in a second
		looks = 8
	)
	for _, tc := range []struct {
		name    string
		offload string // of this end
		refuse  func(t *testing.T, link *netlab.Link, at *netlab.Host)
		passes  int
		dropped string // where status counts what is refused
	}{
		{"a far end that takes less", "", func(_ *testing.T, link *netlab.Link, _ *netlab.Host) { link.B.SetMTU(mtu) },
			mtu + 4, "send_queue_full"}, // a veth leaves room for the tag of a VLAN
		// The firewall sees a train whole, and would pass or drop it whatever its datagrams' size.
		{"a firewall of the host", "off", func(t *testing.T, _ *netlab.Link, at *netlab.Host) {
			run(t, at, "nft", fmt.Sprintf("add table ip guard; add chain ip guard out { type filter hook output priority 0; }; "+
				"add rule ip guard out udp dport %d meta length > %d drop", gateway.Port, mtu))
		}, mtu, "send_error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			lab := labtest.New(t)
			A, B := lab.Host("a"), lab.Host("b")
			link := lab.Connect(A, B, linkConfig(netlab.Prefixes("192.0.2.1/30"), netlab.Prefixes("192.0.2.2/30")))
			a, b := newGateway(t, A, "10.77.0.1/24", "fd77::1/64"), newGateway(t, B, "10.77.0.2/24", "fd77::2/64")
			a.Offload = cmp.Or(tc.offload, a.Offload)
			check(t, a.Configure("", gateway.Peer{Gateway: b, Endpoint: "192.0.2.2:4500"}))
			check(t, b.Configure("", gateway.Peer{Gateway: a, Endpoint: "192.0.2.1:4500"}))
			up(t, a, b)
			exact(t, a, 1500)
			refused := func() uint64 { return statusOf(t, a).Peers[0].Dropped[tc.dropped] }
			data := transferring(t, A, B, innerB4)
			data.more(1 << 20)
			before, began := refused(), time.Now()
			tc.refuse(t, link, A)
			first := refused()
			for range looks {
				next := began.Add(time.Second)
				exact(t, a, tc.passes)
				data.more(64 << 10)
				time.Sleep(time.Until(next))
				now, seconds := refused(), time.Since(began).Seconds()
				if n := float64(now-before) / seconds; n > most {
					t.Errorf("%.0f sends in a second are refused, want at most %d: %+v", n, most, statusOf(t, a).Peers[0].PMTUD)
				}
				t.Logf("%d sends are refused in %.1f s", now-before, seconds)
				before, began = now, time.Now()
			}
			if before == first {
				t.Error("the kernel has refused nothing")
			}
			data.stop()
		})
	}
}
