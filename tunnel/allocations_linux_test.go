package tunnel

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/conf"
	"fathom/esp"
	"fathom/test/netlab"
	"fathom/test/tier"
	"fathom/tunnel/host"
	"fathom/tunnel/inner"
	"fathom/tunnel/tun"
)

// allocationsIn returns how often the program allocates while f runs.
// testing.AllocsPerRun rounds down, and so does not see one in two runs.
func allocationsIn(f func()) uint64 {
	// Else the runtime looks every second how many CPUs there are, and
	// allocates in doing so.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs
}

// TestTheDataPathDoesNotAllocate carries packets from one host to the other,
// through both loops and the kernel.
func TestTheDataPathDoesNotAllocate(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Measures)
	const runs = 500
	const may = runs / 50 // the runtime itself does so now and then
	over6 := outside{address: netip.IPv6Loopback()}
	for _, test := range []struct {
		name    string
		load    load
		packets int // before each flush
		ends    ends
	}{
		{"a TCP superpacket", load{payload: 60000, segment: 1386}, 1, ends{}},
		{"small packets", load{payload: 200, segment: 1386}, 16, ends{}},
		{"one packet", load{payload: 1386, segment: 1386}, 1, ends{}},
		{"IPv6 inside", load{payload: 60000, segment: 1366, v6: true}, 1, ends{}},
		{"IPv6 outside", load{payload: 60000, segment: 1366}, 1, ends{from: over6, to: over6}},
		{"a UDP superpacket", load{payload: 40000, segment: 1200, udp: true}, 1, ends{}},
		{"a UDP superpacket in IPv6", load{payload: 40000, segment: 1200, udp: true, v6: true}, 1, ends{}},
		{"cut below the segment size", load{payload: 60000, segment: 1386}, 1, ends{plpmtu: 1280, settled: 1280}},
		{"one packet that is cut", load{payload: 1386, segment: 1386}, 1, ends{plpmtu: 1280, settled: 1280}},
		{"a UDP superpacket of datagrams that are too large", load{payload: 14000, segment: 1400, udp: true}, 1, ends{plpmtu: 1280, settled: 1280}},
		{"ChaCha20-Poly1305", load{payload: 60000, segment: 1386}, 1, ends{suite: esp.ChaCha20Poly1305}},
	} {
		for _, offload := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, offload %v", test.name, offload), func(t *testing.T) {
				test.ends.offload = offload
				test.ends.config = conf.Tunnel{Oversize: conf.OversizeCarry, MSSClamp: true}
				d := test.ends.join(t)
				var arrived int
				d.receiver.writer = lookAt(func(parts [][]byte) {
					arrived -= test.load.headers()
					for _, part := range parts {
						arrived += len(part)
					}
				})
				packet, o := test.load.packet()
				original := append([]byte(nil), packet...)
				carry := func() {
					for range test.packets {
						copy(packet, original)
						d.transmit.packet(packet, o)
					}
					if err := d.flush(); err != nil {
						t.Fatal(err)
					}
					for want := arrived + test.packets*test.load.payload; arrived < want; {
						if _, err := d.receiver.batch(); err != nil {
							t.Fatal(err)
						}
					}
				}
				for range 50 { // every flow of the coalescer has its list by then
					carry()
				}
				if n := allocationsIn(func() {
					for range runs {
						carry()
					}
				}); n >= may {
					t.Errorf("%d allocations in %d runs", n, runs)
				}
			})
		}
	}
}

// reading counts the packets that are read from a device.
type reading struct {
	tun.Reader
	n *atomic.Int64
}

func (r reading) Read(wait bool) ([]byte, inner.Offload, error) {
	packet, o, err := r.Reader.Read(wait)
	if err == nil {
		r.n.Add(1)
	}
	return packet, o, err
}

// TestTheDevicesDoNotAllocate lets two hosts talk through their TUN devices,
// with all four loops between them.
func TestTheDevicesDoNotAllocate(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Measures)
	for _, offload := range []bool{true, false} {
		t.Run(fmt.Sprintf("offload %v", offload), func(t *testing.T) {
			_, a, b := cable(t)
			var packets atomic.Int64
			forth := ends{offload: offload, from: a, to: b}.join(t)
			back := ends{offload: offload, from: b, to: a, backwards: true}.join(t)
			var loops sync.WaitGroup
			t.Cleanup(loops.Wait)
			for _, end := range []struct {
				host             *netlab.Host
				address4         string
				address6         string
				sending, arrival *datapath
			}{{a.host, leftIP, leftIP6, forth, back}, {b.host, rightIP, rightIP6, back, forth}} {
				var device *tun.Device
				if err := end.host.Do(func() (err error) {
					if device, err = tun.Open("fathom0", tun.Config{Offload: offload, Queues: 1}); err != nil {
						return err
					}
					link, err := host.Attach("fathom0", host.Config{
						Addresses: netlab.Prefixes(end.address4+"/24", end.address6+"/64"),
						MTU:       defaultInnerMTU, GSOMaxSize: deviceGSOMaxSize,
					})
					if err == nil {
						link.Close()
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				if device.Features().TCP != offload {
					t.Fatalf("the device has %+v", device.Features())
				}
				end.sending.transmit.reader = reading{device.Readers()[0], &packets}
				end.arrival.receiver.writer = device.NewWriter()
				loops.Go(func() { _ = end.sending.transmit.run() }) // until the device is closed
				loops.Go(end.arrival.receiver.run)
				t.Cleanup(func() {
					device.Close()
					end.arrival.to.Close()
				})
			}

			for _, protocol := range []string{"tcp4", "tcp6", "udp4", "udp6"} {
				client, server := talk(t, protocol, a.host, b.host)
				size := 2 << 20
				if offload {
					size = 4 << 20
				}
				transfer(t, client, server, size/4) // until everything has its size
				var n uint64
				var carried int64
				for range 5 { // the runtime makes threads now and then; the loops would allocate each time
					before := packets.Load()
					n = allocationsIn(func() { transfer(t, client, server, size) })
					if carried = packets.Load() - before; n < uint64(carried)/50 {
						break
					}
				}
				t.Logf("%s: %d allocations for %d packets of %d bytes in all", protocol, n, carried, size)
				if carried < 100 || n >= uint64(carried)/50 {
					t.Errorf("%s: %d allocations for %d packets", protocol, n, carried)
				}
			}
			for name, d := range map[string]*datapath{"forth": forth, "back": back} {
				if n := d.receiver.drops.snapshot(); len(n) > 0 {
					t.Errorf("%s: dropped %v", name, n)
				}
			}
		})
	}
}

// talk connects two hosts through the tunnel. Over UDP the client sends runs
// of datagrams.
func talk(t *testing.T, protocol string, from, to *netlab.Host) (client, server net.Conn) {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	address := netip.MustParseAddr(rightIP)
	if protocol[3] == '6' {
		address = netip.MustParseAddr(rightIP6)
	}
	at := netip.AddrPortFrom(address, 5201)
	if protocol[:3] == "udp" {
		packets, err := to.ListenPacket("udp", at.String())
		fatal(err)
		client, err = from.Dial("udp", at.String())
		fatal(err)
		raw, err := client.(*net.UDPConn).SyscallConn()
		fatal(err)
		fatal(raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, datagram) }))
		fatal(err)
		server = packets.(net.Conn)
		fatal(packets.(*net.UDPConn).SetReadBuffer(4 << 20))
	} else {
		listener, err := to.Listen("tcp", at.String())
		fatal(err)
		defer listener.Close()
		client, err = from.Dial("tcp", at.String())
		fatal(err)
		server, err = listener.Accept()
		fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	for _, conn := range []net.Conn{client, server} {
		fatal(conn.SetDeadline(time.Now().Add(2 * time.Minute)))
	}
	return client, server
}

// datagram is the size of the datagrams of talk.
const datagram = 1200

// One buffer for each end of transfer.
var outgoing, incoming [16 << 10]byte

// transfer sends size bytes from one to the other, a little at a time, so that
// UDP loses nothing.
func transfer(t *testing.T, client, server net.Conn, size int) {
	const step = 10 * datagram
	for n := 0; n < size; n += step {
		if _, err := client.Write(outgoing[:step]); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < step; {
			k, err := server.Read(incoming[:])
			if err != nil {
				t.Fatalf("after %d bytes: %v", n+got, err)
			}
			got += k
		}
	}
}
