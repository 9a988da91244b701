//go:build linux

package test

import (
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// TestTheKernelRefusesASize: the far end of the link takes less than its own interface
// says, and the kernel answers a send above that with ENOBUFS. The discovery settles on
// what passes, and does not ask the kernel in a loop.
func TestTheKernelRefusesASize(t *testing.T) {
	tier.Select(t, tier.Superlinks)
	const (
		mtu    = 1280
		passes = mtu + 4 // a veth leaves room for the tag of a VLAN
		most   = 20      // refused sends in a second
		looks  = 8
	)
	lab := labtest.New(t)
	A, B := lab.Host("a"), lab.Host("b")
	link := lab.Connect(A, B, linkConfig(netlab.Prefixes("192.0.2.1/30"), netlab.Prefixes("192.0.2.2/30")))
	a, b := newGateway(t, A, "10.77.0.1/24", "fd77::1/64"), newGateway(t, B, "10.77.0.2/24", "fd77::2/64")
	check(t, a.Configure("", gateway.Peer{Gateway: b, Endpoint: "192.0.2.2:4500"}))
	check(t, b.Configure("", gateway.Peer{Gateway: a, Endpoint: "192.0.2.1:4500"}))
	up(t, a, b)
	exact(t, a, 1500)
	refused := func() uint64 { return statusOf(t, a).Peers[0].Dropped["send_queue_full"] }
	data := transferring(t, A, B, innerB4)
	data.more(1 << 20)
	link.B.SetMTU(mtu)
	before, began := refused(), time.Now()
	for range looks {
		next := began.Add(time.Second)
		exact(t, a, passes)
		data.more(64 << 10)
		time.Sleep(time.Until(next))
		now, seconds := refused(), time.Since(began).Seconds()
		if n := float64(now-before) / seconds; n > most {
			t.Errorf("%.0f sends in a second are refused, want at most %d: %+v", n, most, statusOf(t, a).Peers[0].PMTUD)
		}
		t.Logf("%d sends are refused in %.1f s", now-before, seconds)
		before, began = now, time.Now()
	}
	data.stop()
}
