package test

import (
	"testing"
	"time"

	"fathom/test/gateway"
	tunnel "fathom/tunnel/status"
)

// TestInterfacesGoDownAndUp takes the own interface, and then the tunnel's
// device, down in mid-transfer. The transfer goes on when they are back.
func TestInterfacesGoDownAndUp(t *testing.T) {
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	stop := transferring(t, l.A, l.B, innerB4)
	for range 3 {
		time.Sleep(200 * time.Millisecond)
		l.left.A.Down()
		time.Sleep(300 * time.Millisecond)
		l.left.A.Up()
		l.A.DefaultVia(l.left.B.Addr4())
	}
	moves := func(what string) {
		t.Helper()
		before := status(t, l.b).Peers[0].RxBytes
		await(t, l.b, func(s *tunnel.Status) bool { return s.Peers[0].RxBytes > before+10<<20 })
		t.Logf("the transfer goes on after %s", what)
	}
	moves("the interface was down")
	device := l.A.Interface(gateway.Device)
	device.Down()
	time.Sleep(300 * time.Millisecond)
	device.Up() // the kernel puts back the route to the device's own network
	moves("the device was down")
	stop()
	exact(t, l.a, 1500)
}

// TestAFullQueue sends more than the own interface takes. What its queue has no
// room for is lost and counted, as in any router, and says nothing of sizes.
func TestAFullQueue(t *testing.T) {
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	l.left.A.LimitRate(50_000_000, 100_000) // a superpacket, and a little more
	bulk(t, l.A, l.B, innerB4, 8<<20)
	stop := startStream(t, l.A, l.B, innerB4, 1200, 50*time.Microsecond) // four times as much
	time.Sleep(time.Second)
	got := stop()
	s := status(t, l.a).Peers[0]
	t.Logf("of %v; dropped %v, history %v", got, s.Dropped, s.PMTUD.History)
	if s.Dropped["send_queue_full"] == 0 {
		t.Error("no drop is counted")
	}
	if s.Dropped["send_too_large"] > 0 {
		t.Error("a full queue was taken for a small MTU")
	}
	bulk(t, l.A, l.B, innerB4, 8<<20)
	exact(t, l.a, 1500)
}
