package tunnel

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/conf"
)

// whatGoesWrong counts what an outbox tells of.
type whatGoesWrong struct {
	nothingHappens
	noSegmentations, tooBigs int
}

func (w *whatGoesWrong) noSegmentation(*udpSocket, error) { w.noSegmentations++ }
func (w *whatGoesWrong) tooBig(*peer, int)                { w.tooBigs++ }

// TestSegmentationThatDoesNotWorkIsGivenUp: the kernel offers UDP_SEGMENT, but
// refuses it for what a socket sends, as where a driver has no checksum offload.
// Nothing is lost, and it is tried once.
func TestSegmentationThatDoesNotWorkIsGivenUp(t *testing.T) {
	for _, test := range []struct {
		name   string
		refuse func(*testing.T, *outbox)
	}{
		{"EINVAL", func(t *testing.T, o *outbox) {
			var err error
			if cerr := o.sockets.v4[0].raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_NO_CHECK, 1) }); cerr != nil || err != nil {
				t.Fatal(cerr, err)
			}
		}},
		// What kernels before 6.11 say. This one may not, so the outbox is told.
		{"EIO", func(t *testing.T, o *outbox) {
			call := o.callOnce
			o.callOnce = func(fd uintptr) {
				if m := o.parts[o.first]; m.end-m.start > o.trains[m.train].segment {
					o.errno = unix.EIO
					return
				}
				call(fd)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1500, 1500)
			outbox := d.transmit.forwarder.sender.outbox
			events := new(whatGoesWrong)
			outbox.events = events
			socket := outbox.sockets.v4[0]
			test.refuse(t, outbox)
			if !socket.gso.Load() {
				t.Fatal("UDP_SEGMENT is not offered")
			}
			for i := range 3 {
				packet, o := tcpSuper(30000, 1386)
				d.run(t, packet, o, 1) // until all has arrived
				if events.noSegmentations != 1 || socket.gso.Load() {
					t.Fatalf("superpacket %d: told %d times, still in use: %v", i, events.noSegmentations, socket.gso.Load())
				}
			}
			if n := d.peer.drops.snapshot(); len(n) > 0 || events.tooBigs > 0 {
				t.Errorf("dropped %v, called too big %d times", n, events.tooBigs)
			}
		})
	}
}

// TestManySmallTrains has more of them than one outbox takes: packets of
// different classes, each of which is a train.
func TestManySmallTrains(t *testing.T) {
	for _, offload := range []bool{true, false} {
		d := newDatapath(t, offload, conf.Tunnel{Oversize: conf.OversizeCarry, DSCP: conf.DSCPCopy}, 1500, 1500)
		const n = 5 * outboxMessages
		bytes := 0
		for i := range n {
			packet := ipv4Packet(leftIP, rightIP, 100+i)
			packet[1] = byte(i%2) << 2
			d.transmit.packet(packet, noOffload)
			bytes += len(packet)
		}
		if err := d.transmit.forwarder.sender.outbox.flush(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(5 * time.Second); d.arrived.bytes < bytes && time.Now().Before(end); {
			if err := d.receiver.batch(); err != nil {
				t.Fatal(err)
			}
		}
		if d.arrived.packets != n || d.arrived.bytes != bytes {
			t.Errorf("offload %v: %d packets of %d arrived", offload, d.arrived.packets, n)
		}
		if top, sent := d.peer.session.Load().sa.sizes.Size(n), d.peer.tx.packets.Load(); top == 0 || sent != n {
			t.Errorf("offload %v: %d packets sent, the last of %d bytes", offload, sent, top)
		}
	}
}
