package tunnel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/conf"
	"fathom/esp"
	"fathom/pmtud"
	"fathom/test/netlab/labtest"
	"fathom/tunnel/udp"
)

// transmitters returns some that share the datapath's SA and socket.
func (d *datapath) transmitters(n int) (list []*transmitter) {
	first := d.transmit.forwarder
	for i := range n {
		f := newForwarder(newSender(transmitterPlace(i, n), d.from, nothingHappens{}), first.policy, d.told)
		list = append(list, &transmitter{routes: d.transmit.routes, returns: d.transmit.returns, drops: new(drops), forwarder: f})
	}
	return list
}

// receiving runs the receiver until the returned function is called, which ends
// it for good.
func (d *datapath) receiving() (stop func()) {
	var loop sync.WaitGroup
	loop.Go(d.receiver.run)
	return func() {
		d.to.Close()
		loop.Wait()
	}
}

// TestNoTransmitterFallsBehindTheWindow lets them seal in turn and hand over as late
// as they can, one after the other: the packets of the last are still accepted.
func TestNoTransmitterFallsBehindTheWindow(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, pmtud.MaxSenders - 1} {
		d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1500, 1500)
		stop := d.receiving()
		list := d.transmitters(n)
		sent, max := 0, list[0].forwarder.sender.outbox.Free()
		for range 3 {
			for range max {
				for _, other := range list {
					packet := ipv4Packet(leftIP, rightIP, 40)
					packet[9] = 47
					other.packet(packet, noOffload)
					sent++
				}
			}
			for _, other := range list {
				if err := other.forwarder.sender.flush(); err != nil {
					t.Fatal(err)
				}
				d.settle(max * n)
			}
		}
		d.settle(0)
		stop()
		near := d.receiver.routes.lookup(netip.MustParseAddr(leftIP))
		if dropped := near.drops.snapshot(); d.arrived.packets != sent || len(dropped) > 0 {
			t.Errorf("%d transmitters: %d packets of %d arrived, dropped %v", n, d.arrived.packets, sent, dropped)
		}
	}
}

// settle waits until no more than most packets are under way, so that the
// receiver's socket loses none. It gives up after a while: some may be lost.
func (d *datapath) settle(most int) {
	near := d.receiver.routes.lookup(netip.MustParseAddr(leftIP))
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		if int(d.peer.session.Load().sa.Packets())-int(near.authentic.Load()) <= most {
			return
		}
	}
}

// TestTunnelFragmentsLeaveTogether: the payloads of a packet are in one flush, wherever
// the end of the outbox is.
func TestTunnelFragmentsLeaveTogether(t *testing.T) {
	d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1228, 1500)
	stop := d.receiving()
	defer stop()
	one := d.transmitters(1)[0]
	outbox := one.forwarder.sender.outbox
	most := outbox.Free()
	flushes := 0
	put := func(size, pieces int) {
		packet := ipv4Packet(leftIP, rightIP, size)
		packet[6], packet[9] = 0x40, 17 // DF, UDP
		sumHeader(packet)
		before := most - outbox.Free()
		one.packet(packet, noOffload)
		switch waiting := most - outbox.Free(); waiting {
		case before + pieces:
		case pieces:
			flushes++
			d.settle(most)
		default:
			t.Fatalf("behind %d datagrams a packet in %d pieces has been put: %d wait", before, pieces, waiting)
		}
	}
	for small := range 8 {
		for range small { // the end of the outbox is elsewhere
			put(100, 1)
		}
		for before := flushes; flushes == before; {
			put(1400, 2)
		}
	}
}

// TestTunnelFragmentsAmongOtherPackets: packets that travel in tunnel fragments
// arrive, whatever is sealed for the same SA at the same time, and however late
// a transmitter hands over its packets.
func TestTunnelFragmentsAmongOtherPackets(t *testing.T) {
	d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1228, 1500)
	stop := d.receiving()
	list := d.transmitters(3)
	for range 40 {
		// What all of them number in a round fits the window, so that the machine may
		// stop any of them for any time.
		var all sync.WaitGroup
		for _, other := range list {
			all.Go(func() {
				for i := range 400 {
					size := 100
					if i%16 == 0 {
						size = 1400
					}
					packet := ipv4Packet(leftIP, rightIP, size)
					packet[6], packet[9] = 0x40, 17 // DF, UDP
					sumHeader(packet)
					other.packet(packet, noOffload)
				}
				if err := other.forwarder.sender.flush(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		d.settle(0)
	}
	stop()
	near := d.receiver.routes.lookup(netip.MustParseAddr(leftIP))
	if split, whole := d.peer.surgery.split.Load(), near.surgery.reassembled.Load(); split != 3*40*25 || whole != split {
		t.Errorf("%d split, %d put together, dropped %v", split, whole, near.drops.snapshot())
	}
}

// TestBothEndsCountTheSame inner packets and bytes, whatever the host and the
// tunnel make of them.
func TestBothEndsCountTheSame(t *testing.T) {
	d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1228, 1500)
	stop := d.receiving()
	super, o := tcpSuper(60000, 1386)
	d.transmit.packet(super, o)
	for _, protocol := range []byte{17, 6} {
		packet := ipv4Packet(leftIP, rightIP, 1400)
		packet[6], packet[9] = 0x40, protocol
		sumHeader(packet)
		d.transmit.packet(packet, noOffload)
	}
	if err := d.transmit.forwarder.sender.flush(); err != nil {
		t.Fatal(err)
	}
	d.settle(0)
	stop()
	near := d.receiver.routes.lookup(netip.MustParseAddr(leftIP))
	tx, rx := &d.peer.tx, &near.rx
	if tx.packets.Load() != rx.packets.Load() || tx.bytes.Load() != rx.bytes.Load() || rx.packets.Load() < 3 {
		t.Errorf("sent %d packets of %d bytes, received %d of %d", tx.packets.Load(), tx.bytes.Load(), rx.packets.Load(), rx.bytes.Load())
	}
}

// TestTheControllerDoesNotWaitForAFullSocket, though a transmitter does: packets
// without room are dropped, and counted.
func TestTheControllerDoesNotWaitForAFullSocket(t *testing.T) {
	const messages = 50
	host := labtest.New(t).Host("a")
	host.Interface("lo").LimitRate(10_000, 1<<20) // bits per second
	loopback := outside{host, netip.MustParseAddr("127.0.0.1")}
	d := ends{offload: true, config: conf.Tunnel{Oversize: conf.OversizeCarry}, from: loopback, to: loopback, sendBuffer: 64 << 10}.join(t)
	var transmitting sync.WaitGroup
	var over atomic.Bool
	transmitting.Go(func() {
		for range 10 {
			packet, o := tcpSuper(60000, 1386)
			d.transmit.packet(packet, o)
		}
		_ = d.flush()
		over.Store(true)
	})
	controller := newSender(controllerPlace, d.from, nothingHappens{})
	refused := uint64(0)
	for sent := 0; refused < messages; sent++ {
		if sent == 1_000_000 {
			t.Fatal("the socket is never full")
		}
		if err := controller.control(d.peer.session.Load(), []byte("control"), 0); err != nil {
			t.Fatal(err)
		}
		if err := controller.flush(); errors.Is(err, udp.ErrFull) {
			refused++
			if sizes := &d.peer.session.Load().sa.sizes; sizes.Size(uint32(d.peer.session.Load().sa.Packets())) != 0 {
				t.Error("a message that was refused is remembered")
			}
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if over.Load() {
		t.Error("the transmitter has not waited")
	}
	if n := d.peer.drops[dropSendFull].Load(); n != refused {
		t.Errorf("%d were refused, %d are counted", refused, n)
	}
	// Data that the controller releases has no more room, and says nothing of the
	// path by not arriving.
	to := d.peer.session.Load()
	if err := controller.seal(to, make([]byte, 1000), esp.NextHeaderIPv4, 0); err != nil {
		t.Fatal(err)
	}
	if err := controller.flush(); !errors.Is(err, udp.ErrFull) {
		t.Errorf("data was not refused: %v", err)
	}
	refused++
	if size := to.sa.sizes.Size(uint32(to.sa.Packets())); size != 0 {
		t.Errorf("a packet that was refused is remembered with %d bytes", size)
	}
	host.Interface("lo").LimitRate(1_000_000_000, 1<<20)
	transmitting.Wait()
	if n := d.peer.drops[dropSendFull].Load(); n != refused {
		t.Error("the transmitter has dropped something")
	}
}

// TestAControlMessageThatIsRefusedWasNotSent: that it does not arrive says nothing of
// the path. Those sent before and after it are remembered.
func TestAControlMessageThatIsRefusedWasNotSent(t *testing.T) {
	const mtu, prohibited = 1300, "198.51.100.1"
	link, from, to := cable(t)
	d := ends{offload: true, from: from, to: to}.join(t)
	link.SetMTU(mtu)
	if err := from.host.Do(func() error {
		return netlink.RouteAdd(&netlink.Route{Type: unix.RTN_PROHIBIT, Dst: &net.IPNet{IP: net.ParseIP(prohibited), Mask: net.CIDRMask(32, 32)}})
	}); err != nil {
		t.Fatal(err)
	}
	controller := newSender(controllerPlace, d.from, nothingHappens{})
	good := d.peer.session.Load()
	elsewhere := *good
	for _, test := range []struct {
		name   string
		to     string // an address, empty: the peer's
		size   int
		reason dropReason
	}{
		{"too large for the link", "", mtu + 4, dropSendTooLarge},
		{"no way", "203.0.113.1", 0, dropSend},
		{"not allowed", prohibited, 0, dropSend},
	} {
		t.Run(test.name, func(t *testing.T) {
			to := good
			if test.to != "" {
				elsewhere.path = newPath(netip.AddrPortFrom(netip.MustParseAddr(test.to), 4500), netip.Addr{}).with(1300, 1300, 1300)
				to = &elsewhere
			}
			before := d.peer.drops[test.reason].Load()
			send := func(to *session, size int) (seq uint32, err error) {
				if err := controller.control(to, []byte("control"), size); err != nil {
					t.Fatal(err)
				}
				return uint32(good.sa.Packets()), controller.flush()
			}
			first, err := send(good, 0)
			if err != nil {
				t.Fatal(err)
			}
			refused, err := send(to, test.size)
			if err == nil || d.peer.drops[test.reason].Load() != before+1 {
				t.Fatalf("not refused as expected: %v, %v", err, d.peer.drops.snapshot())
			}
			last, err := send(good, 0)
			if err != nil {
				t.Fatal(err)
			}
			sizes := &good.sa.sizes
			if sizes.Size(refused) != 0 || sizes.Size(first) == 0 || sizes.Size(last) == 0 {
				t.Errorf("remembered: %d bytes before, %d refused, %d after", sizes.Size(first), sizes.Size(refused), sizes.Size(last))
			}
		})
	}
}

// TestEveryTransmitterHasItsTurn: one that has little to send waits for its turn at a
// full socket, and no longer, however much the others have.
func TestEveryTransmitterHasItsTurn(t *testing.T) {
	for _, processors := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d processors", processors), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			link, from, to := cable(t)
			link.A.LimitRate(100_000_000, 64<<20)
			d := ends{offload: true, config: conf.Tunnel{Oversize: conf.OversizeCarry}, from: from, to: to}.join(t)
			list := d.transmitters(3)
			var end atomic.Bool
			var others atomic.Int64 // superpackets of theirs
			var eager sync.WaitGroup
			for _, other := range list[1:] {
				eager.Go(func() {
					for !end.Load() {
						packet, o := tcpSuper(60000, 1386)
						other.packet(packet, o)
						others.Add(1)
					}
					_ = other.forwarder.sender.flush()
				})
			}
			var passed []int64 // how many of theirs went while one of ours waited
			turns := make(chan struct{})
			go func() {
				defer close(turns)
				for range 20 {
					time.Sleep(20 * time.Millisecond)
					before := others.Load()
					list[0].packet(ipv4Packet(leftIP, rightIP, 100), noOffload)
					_ = list[0].forwarder.sender.flush()
					passed = append(passed, others.Load()-before)
				}
			}()
			select {
			case <-turns:
				slices.Sort(passed)
				t.Logf("superpackets that passed: %v", passed)
				// Each of the two others may be sending, and once more be in the queue
				// before us, with a full outbox each time.
				if most := int64(4 * udp.BufferSize / 60000); passed[len(passed)/2] > most {
					t.Errorf("in the median %d superpackets passed, more than %d", passed[len(passed)/2], most)
				}
			case <-time.After(hanging):
				t.Error("a transmitter waits for ever")
			}
			end.Store(true)
			eager.Wait()
		})
	}
}

// TestTransmittersLeaveTheWindowItsHalf: the arithmetic of what transmitters may hold.
func TestTransmittersLeaveTheWindowItsHalf(t *testing.T) {
	for n := 1; n < pmtud.MaxSenders; n++ {
		held := 0
		indexes := map[int]bool{controllerPlace.index: true}
		for i := range n {
			p := transmitterPlace(i, n)
			held += p.max
			indexes[p.index] = true
		}
		if held > esp.WindowSize/2 || len(indexes) != n+1 {
			t.Errorf("%d transmitters hold %d packets, and have %d indexes", n, held, len(indexes)-1)
		}
	}
}
