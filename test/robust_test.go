//go:build linux

package test

import (
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestInterfacesGoDownAndUp takes the own interface, and then the tunnel's
// device, down in mid-transfer. The transfer goes on when they are back.
func TestInterfacesGoDownAndUp(t *testing.T) {
	tier.Select(t, tier.Superlinks)
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	data := transferring(t, l.A, l.B, innerB4)
	for range 3 {
		data.more(1 << 20)
		l.left.A.Down()
		time.Sleep(300 * time.Millisecond)
		l.left.A.Up()
		l.A.DefaultVia(l.left.B.Addr4())
	}
	data.more(10 << 20)
	device := l.A.Interface(gateway.Device)
	device.Down()
	time.Sleep(300 * time.Millisecond)
	device.Up() // the kernel puts back the route to the device's own network
	data.more(10 << 20)
	data.stop()
	exact(t, l.a, 1500)
}

// TestAFullQueue sends more than the own interface takes. Packets without room in
// its queue are lost and counted, as in any router. Such a loss says nothing about
// sizes.
func TestAFullQueue(t *testing.T) {
	tier.Select(t)
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	l.left.A.LimitRate(20_000_000, 100_000) // a superpacket, and a little more
	bulk(t, l.A, l.B, innerB4, 4<<20)
	before := statusOf(t, l.a).Peers[0].Dropped["send_queue_full"]
	data := startFlood(t, l.A, l.B, innerB4, 1200, 50*time.Microsecond) // up to ten times as much
	await(t, l.a, func(s *status.Status) bool { return s.Peers[0].Dropped["send_queue_full"] > before })
	got := data.reach(data.sent.Load() + 1000).stop()
	s := statusOf(t, l.a).Peers[0]
	t.Logf("of %v; dropped %v, history %v", got, s.Dropped, s.PMTUD.History)
	if s.Dropped["send_too_large"] > 0 {
		t.Error("a full queue was taken for a small MTU")
	}
	bulk(t, l.A, l.B, innerB4, 4<<20)
	exact(t, l.a, 1500)
}
