package tunnel

import (
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fathom/conf"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/tunnel/inner"
	"fathom/tunnel/udp"
)

// cable is two hosts with a link between them, for the ends of a datapath.
func cable(t testing.TB) (link *netlab.Link, from, to outside) {
	t.Helper()
	lab := labtest.New(t)
	a, b := lab.Host("a"), lab.Host("b")
	link = lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24", "fd01::1/64"), AddrB: netlab.Prefixes("10.1.0.2/24", "fd01::2/64"), Offload: true})
	return link, outside{a, netip.MustParseAddr("10.1.0.1")}, outside{b, netip.MustParseAddr("10.1.0.2")}
}

// eager is a device that always has one more packet, up to a number of them.
type eager struct {
	load
	buffer []byte
	limit  int64
	reads  atomic.Int64
}

func (e *eager) Read(bool) ([]byte, inner.Offload, error) {
	if e.reads.Load() == e.limit {
		return nil, inner.Offload{}, os.ErrClosed
	}
	e.reads.Add(1)
	packet, o := e.packet()
	e.seq += uint32(e.payload)
	e.buffer = append(e.buffer[:0], packet...)
	return e.buffer, o, nil
}

// TestAFullSocketStopsTheReader: packets that the wire does not take stay with the
// host. Few of them wait in the tunnel, none that can be marked instead is dropped,
// and all arrive in the end. A peer that could have an outlet of its own is no
// exception while it is alone.
func TestAFullSocketStopsTheReader(t *testing.T) {
	const (
		rate   = 16_000_000 // bits a second
		bucket = 64 << 10   // what the token bucket lets pass at once
		sndbuf = 128 << 10
		while  = 500 * time.Millisecond
		slack  = 128 << 10
	)
	for _, test := range []struct {
		name    string
		offload bool
		load    load
		packets int64
		outlets int
	}{
		{"superpackets", true, load{payload: 50000, segment: 1386}, 80, 0},
		{"superpackets, with outlets", true, load{payload: 50000, segment: 1386}, 80, 4},
		{"small packets", true, load{payload: 1200, segment: 1386, udp: true}, 3200, 0},
		{"packets one by one", false, load{payload: 1386, segment: 1386}, 2800, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			link, from, to := cable(t)
			link.A.LimitRate(rate, 64<<20)                                                                                                                                 // a queue without end: the socket is what fills
			d := ends{offload: test.offload, config: conf.Tunnel{Oversize: conf.OversizeCarry}, from: from, to: to, outlets: test.outlets, sendBuffer: sndbuf / 2}.join(t) // the kernel doubles it
			test.load.ecn = true
			reader := &eager{load: test.load, limit: test.packets}
			d.transmit.reader = reader
			var arrived, packets atomic.Int64
			d.receiver.writer = lookAt(func(parts [][]byte) {
				packets.Add(1)
				arrived.Add(-int64(test.load.headers()))
				for _, part := range parts {
					arrived.Add(int64(len(part)))
				}
			})
			var loops sync.WaitGroup
			defer loops.Wait()
			loops.Go(d.receiver.run)
			defer d.to.Close()
			ended := make(chan error, 1)
			began := time.Now()
			go func() { ended <- d.transmit.run() }()

			packet, _ := test.load.packet()
			total := test.packets * int64(len(packet))
			for time.Since(began) < while {
				time.Sleep(10 * time.Millisecond)
				read := reader.reads.Load() * int64(len(packet))
				may := int64(rate/8*time.Since(began).Seconds()) + bucket + sndbuf + udp.BufferSize + slack
				if read > may {
					t.Fatalf("after %v the device has been read %d bytes of; the wire can have taken, and the socket and the outbox hold, %d", time.Since(began), read, may)
				}
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(hanging):
				t.Fatalf("the reader has stopped at %d packets for good", reader.reads.Load())
			}
			want := test.packets * int64(test.load.payload)
			for end := time.Now().Add(hanging); arrived.Load() < want && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			if arrived.Load() < want {
				t.Errorf("%d bytes of %d arrive", arrived.Load(), want)
			}
			if dropped := d.peer.drops.snapshot(); len(dropped) > 0 {
				t.Errorf("dropped %v", dropped)
			}
			t.Logf("%d bytes in %v, the host gets %d packets", total, time.Since(began).Round(time.Millisecond), packets.Load())
		})
	}
}

// lookAt is a tun.Writer that only looks.
type lookAt func(parts [][]byte)

func (f lookAt) Write(parts [][]byte, _ inner.Offload) error {
	f(parts)
	return nil
}

// TestTooLargeForTheLink sends runs along a path that is larger than the own
// interface has become. The kernel refuses each: the refusal is reported and
// counted, UDP_SEGMENT stays in use, and smaller packets go on.
func TestTooLargeForTheLink(t *testing.T) {
	const mtu, runs, segments = 1300, 3, 20
	link, from, to := cable(t)
	events := new(sizesTold)
	d := ends{offload: true, config: conf.Tunnel{Oversize: conf.OversizeCarry}, from: from, to: to, events: events}.join(t)
	host := recorded(d)
	link.SetMTU(mtu)
	for i := range runs {
		packet, o := load{payload: segments * 1386, segment: 1386, seq: uint32(i * segments * 1386)}.packet()
		if err := d.send(packet, o); err != udp.ErrTooBig {
			t.Errorf("run %d: %v", i, err)
		}
		small, o := load{payload: 10 * 1000, segment: 1000, port: 1, seq: uint32(i * 10 * 1000)}.packet()
		if err := d.send(small, o); err != nil {
			t.Errorf("run %d of smaller packets: %v", i, err)
		}
	}
	defer d.endWhenHanging()()
	for sizeOf(host.list) < runs*10*1000 {
		if _, err := d.receiver.batch(); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range host.list {
		if h.packet[21] != 40001&0xff {
			t.Errorf("a packet of another flow has arrived: %x", h.packet[:40])
		}
	}
	if len(events.sizes) < 1 || len(events.sizes) > 3*runs {
		t.Errorf("%d runs, told %d times", runs, len(events.sizes))
	}
	for _, size := range events.sizes {
		if size != netlab.EthernetMTU {
			t.Errorf("told of %d bytes, want %d", size, netlab.EthernetMTU)
		}
	}
	if got := d.peer.drops[dropSendTooLarge].Load(); got != runs*segments {
		t.Errorf("%d packets are counted as too large, want %d", got, runs*segments)
	}
	if events.noSegmentations > 0 || !d.from.Offloads().Segment {
		t.Error("UDP_SEGMENT is not used any more")
	}
}

// sizeOf returns the bytes of payload in TCP packets.
func sizeOf(list []handed) (n int) {
	for _, h := range list {
		n += len(h.packet) - load{}.headers()
	}
	return n
}

// sizesTold keeps the sizes that an outbox tells of.
type sizesTold struct {
	nothingHappens
	sizes           []int
	noSegmentations int
}

func (s *sizesTold) tooBig(_ *session, size int)          { s.sizes = append(s.sizes, size) }
func (s *sizesTold) noSegmentation(netip.AddrPort, error) { s.noSegmentations++ }
