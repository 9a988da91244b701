package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
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
	busy := make(map[int]bool)
	seen := make(map[netip.AddrPort]int)
	b := make([]byte, 64<<10)
	arrived := 0 // bytes, since the kernel may join datagrams
	for deadline := time.Now().Add(time.Minute); arrived < places*each && time.Now().Before(deadline); {
		for i, socket := range s.v4 {
			for {
				socket.conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
				size, from, err := socket.conn.ReadFromUDPAddrPort(b)
				if err != nil {
					break
				}
				if other, ok := seen[from]; ok && other != i {
					t.Errorf("%v comes to sockets %d and %d", from, other, i)
				}
				seen[from], busy[i] = i, true
				arrived += size
			}
		}
	}
	if arrived != places*each || len(seen) != places || len(busy) < 2 {
		t.Errorf("%d datagrams of %d, of %d places, on %d sockets", arrived, places*each, len(seen), len(busy))
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
	comm, cerr := os.ReadFile("/proc/self/comm")
	if cerr != nil {
		t.Fatal(cerr)
	}
	if us := fmt.Sprintf("(%s, process %d, has it", strings.TrimSpace(string(comm)), os.Getpid()); !strings.Contains(err.Error(), us) {
		t.Errorf("%v, and not %s", err, us)
	}
}

// TestAPortOfSomebodyUnseen has the usual suspect.
func TestAPortOfSomebodyUnseen(t *testing.T) {
	inHost(t, func(*netlab.Host) { // which has no such socket
		for port, want := range map[uint16]string{4500: "charon", 4501: "another program"} {
			if who := holderOf(netip.AddrPortFrom(loopback, port)); !strings.Contains(who, want) {
				t.Errorf("port %d: %s", port, who)
			}
		}
	})
}

// TestCollide: whom a socket keeps from a place, and whom it does not.
func TestCollide(t *testing.T) {
	for _, test := range []struct {
		ours, theirs string
		want         bool
	}{
		{"192.0.2.1:4500", "192.0.2.1:4500", true},
		{"192.0.2.1:4500", "192.0.2.1:4501", false},
		{"192.0.2.1:4500", "192.0.2.2:4500", false},
		{"192.0.2.1:4500", "0.0.0.0:4500", true},
		{"0.0.0.0:4500", "192.0.2.1:4500", true},
		{"192.0.2.1:4500", "[::]:4500", true},
		{"0.0.0.0:4500", "[2001:db8::1]:4500", false},
		{"[2001:db8::1]:4500", "[2001:db8::1]:4500", true},
		{"[2001:db8::2]:4500", "[2001:db8::1]:4500", false},
		{"[2001:db8::1]:4500", "0.0.0.0:4500", false},
		{"192.0.2.1:4500", "[::ffff:192.0.2.1]:4500", true},
	} {
		theirs, ok := parseLocal(procNet(netip.MustParseAddrPort(test.theirs)))
		if got := ok && collide(netip.MustParseAddrPort(test.ours), theirs); got != test.want {
			t.Errorf("%s and %s, %v: %v", test.ours, test.theirs, theirs, got)
		}
	}
}

// procNet writes an address and port as proc_net(5) does.
func procNet(at netip.AddrPort) string {
	var b strings.Builder
	for raw := at.Addr().AsSlice(); len(raw) > 0; raw = raw[4:] {
		fmt.Fprintf(&b, "%08X", binary.NativeEndian.Uint32(raw))
	}
	return fmt.Sprintf("%s:%04X", &b, at.Port())
}

// TestListenBeforeTheAddress: a socket bound to an address that the host does not
// have receives and sends once it has it, and again after it was away.
func TestListenBeforeTheAddress(t *testing.T) {
	for _, prefix := range netlab.Prefixes("192.0.2.1/32", "2001:db8::1/128") {
		t.Run(prefix.String(), func(t *testing.T) {
			inHost(t, func(on *netlab.Host) {
				c, err := Listen(prefix.Addr(), 0, Config{DontFragment: true, Offload: true, Sockets: 2})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if !c.Absent() {
					t.Error("the address is there")
				}
				lo := on.Interface("lo")
				for range 2 {
					lo.AddAddress(prefix)
					if c.Absent() {
						t.Error("the address is not there")
					}
					exchange(t, c, on)
					lo.RemoveAddress(prefix)
					if !c.Absent() {
						t.Error("the address is there still")
					}
				}
				lo.AddAddress(prefix)
				there, err := Listen(prefix.Addr(), 0, Config{Sockets: 2})
				if err != nil {
					t.Fatal(err)
				}
				defer there.Close()
				if there.Absent() {
					t.Error("the address is not there")
				}
			})
		})
	}
}

// inHost runs fn in a network namespace of its own.
func inHost(t *testing.T, fn func(on *netlab.Host)) {
	t.Helper()
	on := labtest.New(t, netlab.Namespaces).Host("a")
	if err := on.Do(func() error { fn(on); return nil }); err != nil {
		t.Fatal(err)
	}
}

// exchange sends a datagram to the Conn, from its host, and one back. A new IPv6
// address takes a moment until it is reached.
func exchange(t *testing.T, c *Conn, on *netlab.Host) {
	t.Helper()
	b := make([]byte, 16)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		far, err := on.Dial("udp", c.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		if _, err := far.Write([]byte("there")); err != nil {
			t.Fatal(err)
		}
		for _, s := range append(c.v4, c.v6...) { // it comes to one of them
			s.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			n, from, err := s.conn.ReadFromUDPAddrPort(b)
			if err != nil {
				continue
			}
			if _, err := s.conn.WriteToUDPAddrPort(b[:n], from); err != nil {
				t.Fatal(err)
			}
			far.SetReadDeadline(deadline)
			if n, err := far.Read(b); err != nil || string(b[:n]) != "there" {
				t.Fatalf("%q, %v", b[:n], err)
			}
			return
		}
	}
	t.Fatal("nothing has come")
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

// TestSocketsBearTheMark by which the host's rules tell their packets from others,
// also those that only send.
func TestSocketsBearTheMark(t *testing.T) {
	const mark = 0xffff_1194
	s, err := Listen(loopback, 0, Config{DontFragment: true, Sockets: 2, Outlets: 2, Mark: mark})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.out4.all) != 3 {
		t.Fatalf("%d outlets: %v", len(s.out4.all), s.NoOutlets())
	}
	for _, s := range append(s.v4, s.out4.all...) {
		_ = s.raw.Control(func(fd uintptr) {
			if got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK); uint32(got) != mark || err != nil {
				t.Errorf("mark %#x, %v", got, err)
			}
		})
	}
}
