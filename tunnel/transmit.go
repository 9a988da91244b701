package tunnel

import (
	"errors"
	"os"
	"time"

	"fathom/tunnel/inner"
	"fathom/tunnel/tun"
	"fathom/tunnel/udp"
)

// transmitter carries inner packets from the TUN device to the wire:
//
//	device ─▶ none of our own ─▶ peer by destination ─▶ forwarder: made to fit, sealed ─▶ outbox ─▶ socket
//
// It reads until the device is empty, then sends the gathered packets. One
// goroutine a queue runs it.
type transmitter struct {
	reader    tun.Reader
	routes    *routes
	returns   *returns
	drops     *drops
	forwarder *forwarder
	queue     codel // of the device
	heart     heartbeat
}

// run ends when the device is closed.
func (t *transmitter) run() error {
	for {
		err := t.batch()
		_ = t.forwarder.sender.flush() // counted
		if errors.Is(err, os.ErrClosed) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// batch waits for a packet, and takes all packets that are ready behind it.
func (t *transmitter) batch() error {
	for wait := true; ; wait = false {
		if wait {
			t.heart.waits()
		}
		packet, o, err := t.reader.Read(wait)
		t.heart.works()
		if errors.Is(err, tun.ErrEmpty) {
			t.queue.empty()
			return nil
		} else if err != nil {
			return err
		}
		t.packet(packet, o)
	}
}

// packet sends one inner packet to the peer that it belongs to.
func (t *transmitter) packet(b []byte, o inner.Offload) {
	packet, ok := inner.Parse(b)
	if !ok {
		t.drops.count(dropNotIP)
		return
	}
	if p := t.returns.sentTo(&packet); p != nil {
		p.drops.add(dropLoop, t.forwarder.packets(&packet, o))
		return
	}
	p := t.routes.lookup(packet.Destination)
	if p == nil {
		t.drops.count(dropNoRoute)
		return
	}
	if to := p.session.Load(); to.ready() {
		t.send(to, &packet, o)
		return
	}
	now := time.Now()
	p.waiting.put(packet.Bytes, o, now)
	if p.session.Load().ready() {
		// The SA came while the packet went to wait.
		t.forwarder.releaseWaiting(p, now)
	}
}

// send forwards a packet, unless the peer's part of the way out of this host has no
// room: then it is lost here, before it gets a number and is sealed.
func (t *transmitter) send(to *session, packet *inner.Packet, o inner.Offload) {
	sender := t.forwarder.sender
	pressure := sender.outbox.Pressure(to.path.Destination)
	if pressure == udp.Full {
		_ = sender.flush() // counted
		pressure = sender.outbox.Pressure(to.path.Destination)
	}
	lossy := t.slowDown(packet) || to.peer.outlet.slowDown(pressure, packet)
	if pressure == udp.Full {
		to.peer.drops.add(dropSendFull, t.forwarder.packets(packet, o))
		return
	}
	t.forwarder.forward(to, packet, o, lossy)
}

// slowDown reports whether the packet, or a piece of it, is to be dropped since
// the device's queue stands. One that can be marked as congested is marked
// instead (RFC 3168 section 5).
func (t *transmitter) slowDown(packet *inner.Packet) (drop bool) {
	waited := t.forwarder.sender.outbox.Waited()
	if !waited && !t.queue.watched() {
		return false
	}
	now := time.Now()
	if waited {
		t.queue.blocked(now)
	}
	return t.queue.watched() && t.queue.due(now) && !inner.MarkCongestion(packet)
}
