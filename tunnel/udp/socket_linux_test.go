package udp

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPeersAreSpreadOverSockets: each place has its socket, or packets of one
// peer could overtake each other. Sockets that only send have none.
func TestPeersAreSpreadOverSockets(t *testing.T) {
	const queues, places, each = 4, 32, 5
	s, err := Listen(netip.IPv4Unspecified(), 0, Config{DontFragment: true, Offload: true, Sockets: queues, Outlets: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.v4) != queues || len(s.v6) != 0 {
		t.Fatalf("%d and %d sockets", len(s.v4), len(s.v6))
	}
	for _, socket := range s.v4 {
		if socket.addr() != s.Addrs()[0] {
			t.Errorf("socket at %v, want %v", socket.addr(), s.Addrs()[0])
		}
	}
	for range places {
		from, err := net.Dial("udp", netip.AddrPortFrom(loopback, s.Addrs()[0].Port()).String())
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		for range each {
			if _, err := from.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	busy := 0
	seen := make(map[netip.AddrPort]int)
	for i, socket := range s.v4 {
		n := 0
		b := make([]byte, 64<<10)
		for {
			socket.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			size, from, err := socket.conn.ReadFromUDPAddrPort(b)
			if err != nil {
				break
			}
			if other, ok := seen[from]; ok && other != i {
				t.Errorf("%v comes to sockets %d and %d", from, other, i)
			}
			seen[from] = i
			n += size // which counts bytes, since the kernel may join datagrams
		}
		if n > 0 {
			busy++
		}
	}
	if len(seen) != places || busy < 2 {
		t.Errorf("%d places of %d, on %d sockets", len(seen), places, busy)
	}
}

// TestAPortThatIsTakenIsAnError, though the sockets of one tunnel share theirs.
func TestAPortThatIsTakenIsAnError(t *testing.T) {
	cfg := Config{DontFragment: true, Offload: true, Sockets: 2}
	s, err := Listen(loopback, 0, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other, err := Listen(loopback, s.Addrs()[0].Port(), cfg)
	if !errors.Is(err, unix.EADDRINUSE) {
		if err == nil {
			other.Close()
		}
		t.Errorf("error %v", err)
	}
}

func TestTheSmallestBufferCounts(t *testing.T) {
	c := listen(t, Config{Sockets: 3})
	want := c.Offloads().ReceiveBuffer
	for _, s := range c.v4[1:] {
		if err := s.conn.SetReadBuffer(want / 8); err != nil {
			t.Fatal(err)
		}
		want, _ = s.buffers()
		if got := c.Offloads().ReceiveBuffer; got != want {
			t.Errorf("receive buffer %d, want %d", got, want)
		}
	}
}
