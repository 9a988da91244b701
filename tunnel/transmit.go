package tunnel

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.zx2c4.com/wireguard/tun"
)

// deviceHeadroom is the space that the TUN device wants in front of a packet
// (for its virtio_net_hdr), in bytes.
const deviceHeadroom = 16

// transmitter carries inner packets from the TUN device to the wire:
//
//	device.Read ─▶ peer by destination ─▶ inner MTU ─▶ seal ─▶ socket
//
// One goroutine runs it.
type transmitter struct {
	device tun.Device
	routes *routes
	drops  *drops
	sender *sender
}

// run ends when the device is closed.
func (t *transmitter) run() error {
	batch := t.device.BatchSize()
	buffers := make([][]byte, batch)
	for i := range buffers {
		buffers[i] = make([]byte, deviceHeadroom+maxDatagram)
	}
	sizes := make([]int, batch)
	for {
		n, err := t.device.Read(buffers, sizes, deviceHeadroom)
		for i := range n {
			t.packet(buffers[i][deviceHeadroom:][:sizes[i]])
		}
		t.sender.outbox.flush()
		switch {
		case err == nil, errors.Is(err, tun.ErrTooManySegments):
		case errors.Is(err, os.ErrClosed):
			return nil
		default:
			return fmt.Errorf("read from TUN device: %w", err)
		}
	}
}

// packet sends one inner packet to the peer that it belongs to.
func (t *transmitter) packet(b []byte) {
	inner, ok := parseInner(b)
	if !ok {
		t.drops.count(dropNotIP)
		return
	}
	p := t.routes.lookup(inner.destination)
	if p == nil {
		t.drops.count(dropNoRoute)
		return
	}
	t.forward(p, inner)
}

// forward seals an inner packet for its peer. Without an SA it waits for one.
func (t *transmitter) forward(p *peer, inner innerPacket) {
	sa, to := p.outbound.Load(), p.path.Load()
	if sa != nil && to != nil {
		t.sender.forward(p, sa, to, inner)
		return
	}
	p.waiting.put(inner, time.Now())
	if p.outbound.Load() != nil {
		// The SA came while the packet went to wait.
		t.sender.releaseWaiting(p, time.Now())
	}
}
