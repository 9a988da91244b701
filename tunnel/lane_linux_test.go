package tunnel

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/conf"
	"fathom/esp"
	"fathom/pmtud"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// lanes returns transmitters that share the datapath's SA and socket.
func (d *datapath) lanes(n int) (list []*transmitter) {
	first := d.transmit.forwarder
	for i := range n {
		f := newForwarder(newSender(transmitterLane(i, n), first.sender.outbox.sockets, nothingHappens{}), first.policy, d.told)
		list = append(list, &transmitter{routes: d.transmit.routes, drops: new(drops), forwarder: f})
	}
	return list
}

// receiving runs the receiver until the returned function is called, which
// waits for it.
func (d *datapath) receiving(t *testing.T) (stop func()) {
	t.Helper()
	var end atomic.Bool
	var loop sync.WaitGroup
	loop.Go(func() {
		for !end.Load() {
			d.receiver.inbox.socket.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_ = d.receiver.batch() // the deadline
		}
	})
	return func() {
		end.Store(true)
		loop.Wait()
	}
}

// TestNoLaneFallsBehindTheWindow lets lanes seal in turn and hand over as late
// as they can, one after the other: what the last one has is still accepted.
func TestNoLaneFallsBehindTheWindow(t *testing.T) {
	for _, lanes := range []int{1, 2, 3, 8, pmtud.Lanes - 1} {
		d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1500, 1500)
		stop := d.receiving(t)
		list := d.lanes(lanes)
		sent := 0
		for range 3 {
			for range list[0].forwarder.sender.outbox.lane.most {
				for _, lane := range list {
					packet := ipv4Packet(leftIP, rightIP, 40)
					packet[9] = 47
					lane.packet(packet, noOffload)
					sent++
				}
			}
			for _, lane := range list {
				if err := lane.forwarder.sender.outbox.flush(); err != nil {
					t.Fatal(err)
				}
				d.settle(list[0].forwarder.sender.outbox.lane.most * lanes)
			}
		}
		d.settle(0)
		stop()
		near := d.receiver.routes.lookup(netip.MustParseAddr(leftIP))
		if dropped := near.drops.snapshot(); d.arrived.packets != sent || len(dropped) > 0 {
			t.Errorf("%d lanes: %d packets of %d arrived, dropped %v", lanes, d.arrived.packets, sent, dropped)
		}
	}
}

// settle waits until no more than so many packets are under way, lest the
// receiver's socket lose some; not for ever, since that may have been.
func (d *datapath) settle(most int) {
	near := d.receiver.routes.lookup(netip.MustParseAddr(leftIP))
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		if int(d.peer.outbound.Load().Packets())-int(near.authentic.Load()) <= most {
			return
		}
	}
}

// TestTunnelFragmentsAmongOtherLanes: packets that travel in tunnel fragments
// arrive, whatever is sealed for the same SA at the same time, and however late
// a lane hands over what it has.
func TestTunnelFragmentsAmongOtherLanes(t *testing.T) {
	d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1228, 1500)
	stop := d.receiving(t)
	var lanes sync.WaitGroup
	for _, lane := range d.lanes(3) {
		lanes.Go(func() {
			for range 40 {
				for i := range 400 {
					size := 100
					if i%16 == 0 {
						size = 1400
					}
					packet := ipv4Packet(leftIP, rightIP, size)
					packet[6], packet[9] = 0x40, 17 // DF, UDP
					sumHeader(packet)
					lane.packet(packet, noOffload)
				}
				if err := lane.forwarder.sender.outbox.flush(); err != nil {
					t.Error(err)
				}
				d.settle(2000)
			}
		})
	}
	lanes.Wait()
	d.settle(0)
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
	stop := d.receiving(t)
	super, o := tcpSuper(60000, 1386)
	d.transmit.packet(super, o)
	for _, protocol := range []byte{17, 6} {
		packet := ipv4Packet(leftIP, rightIP, 1400)
		packet[6], packet[9] = 0x40, protocol
		sumHeader(packet)
		d.transmit.packet(packet, noOffload)
	}
	if err := d.transmit.forwarder.sender.outbox.flush(); err != nil {
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

// TestTheControllerDoesNotWaitForAFullSocket, though a transmitter does: what
// there is no room for is dropped, and counted.
func TestTheControllerDoesNotWaitForAFullSocket(t *testing.T) {
	host := labtest.New(t).Host("a")
	host.Interface("lo").LimitRate(2_000_000, 1<<20) // bits per second
	loopback := outside{host, netip.MustParseAddr("127.0.0.1")}
	d := ends{offload: true, config: conf.Tunnel{Oversize: conf.OversizeCarry}, from: loopback, to: loopback}.join(t)
	sockets := d.transmit.forwarder.sender.outbox.sockets
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(sockets.v4[0].raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10) }))
	var transmitting sync.WaitGroup
	transmitting.Go(func() {
		for range 10 {
			packet, o := tcpSuper(60000, 1386)
			d.transmit.packet(packet, o)
		}
		_ = d.flush()
	})
	for end := time.Now().Add(hanging); sockets.v4[0].full.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the socket is never full")
		}
	}
	controller := newSender(controllerLane, sockets, nothingHappens{})
	var took []time.Duration
	accepted := 0
	for range 50 {
		began := time.Now()
		check(controller.control(d.peer, d.peer.outbound.Load(), d.peer.path.Load(), []byte("control"), 0))
		if controller.outbox.flush() == nil {
			accepted++
		}
		took = append(took, time.Since(began))
		time.Sleep(10 * time.Millisecond)
	}
	dropped := d.peer.drops.snapshot()
	slices.Sort(took)
	t.Logf("%d of 50 sent, dropped %v, the slowest took %v", accepted, dropped, took[49])
	if took[45] > 100*time.Millisecond { // the machine itself may stall now and then
		t.Errorf("they took %v", took)
	}
	if accepted == 0 || accepted == 50 || uint64(50-accepted) != dropped[dropSendFull.String()] {
		t.Errorf("%d of 50 sent, dropped %v", accepted, dropped)
	}
	host.Interface("lo").LimitRate(1_000_000_000, 1<<20)
	transmitting.Wait()
	if d.peer.drops.snapshot()[dropSendFull.String()] != dropped[dropSendFull.String()] {
		t.Error("the transmitter has dropped something")
	}
}

// TestEveryLaneHasItsTurn: one that has little to send waits for its turn at a
// full socket, and no longer, whatever the others have.
func TestEveryLaneHasItsTurn(t *testing.T) {
	for _, processors := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d processors", processors), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			link, from, to := cable(t)
			link.A.LimitRate(100_000_000, 64<<20)
			d := ends{offload: true, config: conf.Tunnel{Oversize: conf.OversizeCarry}, from: from, to: to}.join(t)
			lanes := d.lanes(3)
			var end atomic.Bool
			var eager sync.WaitGroup
			for _, lane := range lanes[1:] {
				eager.Go(func() {
					for !end.Load() {
						packet, o := tcpSuper(60000, 1386)
						lane.packet(packet, o)
					}
					_ = lane.forwarder.sender.outbox.flush()
				})
			}
			var slowest time.Duration
			turns := make(chan struct{})
			go func() {
				defer close(turns)
				for range 20 {
					time.Sleep(20 * time.Millisecond)
					began := time.Now()
					lanes[0].packet(ipv4Packet(leftIP, rightIP, 100), noOffload)
					_ = lanes[0].forwarder.sender.outbox.flush()
					slowest = max(slowest, time.Since(began))
				}
			}()
			select {
			case <-turns:
				t.Logf("the longest wait was %v", slowest)
			case <-time.After(hanging):
				t.Error("a lane waits for ever")
			}
			end.Store(true)
			eager.Wait()
		})
	}
}

// TestRefusalsAreCheap: what is refused for good costs few system calls and few
// events, however many datagrams are in the train.
func TestRefusalsAreCheap(t *testing.T) {
	for _, test := range []struct {
		name   string
		refuse func(*netlab.Interface)
		reason dropReason
		tooBig int
		lost   uint64
	}{
		{"nothing", func(*netlab.Interface) {}, dropSend, 0, 0},
		{"the link is too small", func(i *netlab.Interface) { i.SetMTU(1300) }, dropSendTooLarge, 1, 43},
		{"the link is down", (*netlab.Interface).Down, dropSend, 0, 44},
	} {
		t.Run(test.name, func(t *testing.T) {
			lab := labtest.New(t)
			a, b := lab.Host("a"), lab.Host("b")
			link := lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24")})
			d := ends{offload: true, config: conf.Tunnel{Oversize: conf.OversizeCarry}, from: outside{a, link.A.Addr4()}, to: outside{b, link.B.Addr4()}}.join(t)
			events := new(whatGoesWrong)
			outbox := d.transmit.forwarder.sender.outbox
			outbox.events = events
			calls := 0
			call := outbox.callOnce
			outbox.callOnce = func(fd uintptr) { calls++; call(fd) }
			test.refuse(link.A)
			packet, o := tcpSuper(60000, 1386)
			_ = d.send(packet, o)
			if n := d.peer.drops.snapshot(); n[test.reason.String()] != test.lost || len(n) > 1 {
				t.Errorf("dropped %v, want %d by %v", n, test.lost, test.reason)
			}
			if events.tooBigs != test.tooBig || events.noSegmentations != 0 || !outbox.sockets.v4[0].gso.Load() {
				t.Errorf("called too big %d times, no segmentation %d times", events.tooBigs, events.noSegmentations)
			}
			if calls > 12 {
				t.Errorf("%d system calls for one train", calls)
			}
		})
	}
}

// TestLanesLeaveTheWindowItsHalf: the arithmetic of what lanes may hold.
func TestLanesLeaveTheWindowItsHalf(t *testing.T) {
	for n := 1; n < pmtud.Lanes; n++ {
		held := 0
		numbers := map[int]bool{controllerLane.number: true}
		for i := range n {
			l := transmitterLane(i, n)
			held += l.most
			numbers[l.number] = true
		}
		if held > esp.WindowSize/2 || len(numbers) != n+1 {
			t.Errorf("%d lanes hold %d packets, and have %d numbers", n, held, len(numbers)-1)
		}
	}
}
