package tunnel

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"fathom/conf"
	"fathom/tunnel/control"
	"fathom/tunnel/paths"
)

// metered is a messageSender that counts the bytes of outer IP packets by where they go.
type metered struct {
	messageSender
	went map[netip.AddrPort]int
}

func (m metered) control(to *session, payload []byte, size int) error {
	m.went[to.path.Remote()] += messageSize(to.path, payload, size)
	return m.messageSender.control(to, payload, size)
}

// TestAnUnprovedPlaceGetsThreeTimes what came from there, data and messages together,
// and not a byte more, while there is no other place; a proved one gets everything.
func TestAnUnprovedPlaceGetsThreeTimes(t *testing.T) {
	const came, data = 200, 90 // bytes of an outer IP packet: see wanderer.hear
	w := newWanderer(t)
	w.pass(time.Minute)
	m := metered{w.messenger.sender, make(map[netip.AddrPort]int)}
	w.messenger.sender = m
	w.dead[placeB] = true
	w.peer.paths.Withdraw(func(paths.Pair) bool { return true }, w.now)
	heard, probes := 0, w.probes[placeB]
	for range 20 {
		heard += came
		w.hear(placeB, control.AppendToken(nil, control.Echo, 1))
		to := w.peer.session.Load()
		if to.path.Remote() != placeB || to.path.allowance == nil {
			t.Fatalf("the path is that to %v", to.path.Remote())
		}
		sent := 0
		for range 100 {
			if to.path.allowance.take(data) {
				m.went[placeB] += data
				sent++
			}
		}
		if sent == 0 {
			t.Errorf("no data is sent after %d bytes have come", heard)
		}
		w.pass(5 * time.Second) // messages that wait for an answer are sent again
		if w.peer.path.allowance.take(came * 3) {
			t.Errorf("data may be sent of which nothing came")
		}
		// A challenge counts as the longest one.
		if n := m.went[placeB]; n > 3*heard || n < 2*heard {
			t.Errorf("%d bytes went where %d had come from", n, heard)
		}
	}
	if n := w.probes[placeB] - probes; n > 0 {
		t.Errorf("%d probes", n)
	}
	if n := w.peer.drops.snapshot()[dropUnproved.String()]; n == 0 {
		t.Error("what was not sent is not counted")
	}

	w.dead[placeB] = false
	w.hear(placeB, control.AppendToken(nil, control.Echo, 1))
	if !w.until(2*time.Second, func() bool { return w.peer.path.allowance == nil }) {
		t.Fatal("the peer answers, and is not believed")
	}
	w.pass(10 * time.Second)
	if w.probes[placeB] == probes || w.peer.path.plpmtu != w.mtus[placeB]&^3 || w.peer.path.Remote() != placeB {
		t.Errorf("%d probes of a proved place, PLPMTU %d", w.probes[placeB]-probes, w.peer.path.plpmtu)
	}
}

// TestAMoveToAProvedPlaceIsNotLimited, nor are the challenges by which it was proved.
func TestAMoveToAProvedPlaceIsNotLimited(t *testing.T) {
	w := newWanderer(t)
	for _, at := range []netip.AddrPort{placeB, placeA, placeB} {
		w.pass(10 * time.Second)
		if !w.appears(at) {
			t.Fatalf("the peer is not followed to %v", at)
		}
		if to := w.peer.session.Load(); to.path.allowance != nil || !to.path.allowance.take(math.MaxInt32) || !w.peer.probes() {
			t.Errorf("at %v data is limited", at)
		}
	}
	if n := w.peer.drops.snapshot()[dropUnproved.String()]; n > 0 {
		t.Errorf("%d packets are dropped", n)
	}
}

// TestSendersObeyTheAllowance: of the packets, or of the pieces of a superpacket, those
// leave that it has room for, to the byte.
func TestSendersObeyTheAllowance(t *testing.T) {
	d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1500, 1500)
	stop := d.receiving()
	limit := func(bytes int) *peer {
		p := d.transmit.routes.lookup(netip.MustParseAddr(rightIP))
		path := *p.session.Load().path
		path.allowance = new(allowance)
		path.allowance.left.Add(int64(bytes))
		p.path = &path
		to := *p.session.Load()
		to.path = &path
		p.session.Store(&to)
		return p
	}
	packet := ipv4Packet(leftIP, rightIP, 1000)
	packet[9] = 47
	outer := messageSize(d.path(), packet, 0)
	const room, tried = 3, 10
	p := limit(room*outer + outer - 1)
	for range tried {
		d.transmit.packet(packet, noOffload)
	}
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
	d.settle(0)
	dropped := p.drops.snapshot()[dropUnproved.String()]
	if sent := p.tx.packets.Load(); sent != room || dropped != tried-room {
		t.Errorf("%d packets sent, %d dropped; there was room for %d of %d", sent, dropped, room, tried)
	}
	super, o := tcpSuper(20*1000, 1000)
	p = limit(room * 1500)
	d.transmit.packet(super, o)
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
	if sent, all := p.tx.packets.Load()-room, p.drops.snapshot()[dropUnproved.String()]-dropped; sent < room || sent*1000 > room*1500 || sent+all != 20 {
		t.Errorf("%d pieces sent, %d dropped; there was room for %d bytes", sent, all, room*1500)
	}
	stop()
}

// path returns that of the far peer.
func (d *datapath) path() *path {
	return d.transmit.routes.lookup(netip.MustParseAddr(rightIP)).session.Load().path
}
