package tunnel

import (
	"bytes"
	"sync"
	"time"

	"fathom/tunnel/inner"
)

const (
	// maxWaiting bounds the inner packets that wait for a peer's first SA, and
	// maxWaitingBytes what they hold: four superpackets of the largest size.
	maxWaiting      = 64
	maxWaitingBytes = 256 << 10
	// maxWait is how long they may wait. After it the sender of a packet has sent
	// it again or given up.
	maxWait = 10 * time.Second
)

// waitingRoom keeps the first packets to a peer until it has an SA, so that the
// packet that opens a connection is not lost to the handshake. Packets to a peer
// with an SA do not pass through it. The oldest packets make room.
type waitingRoom struct {
	drops *drops

	mu      sync.Mutex
	packets []waitingPacket // guarded by mu; oldest first
	bytes   int             // guarded by mu; in all of them
}

type waitingPacket struct {
	packet  []byte // a copy
	offload inner.Offload
	since   time.Time
}

// put copies a packet, or a superpacket, into the room.
func (w *waitingRoom) put(packet []byte, o inner.Offload, now time.Time) {
	packet = bytes.Clone(packet)
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.packets) == maxWaiting || len(w.packets) > 0 && w.bytes+len(packet) > maxWaitingBytes {
		w.bytes -= len(w.packets[0].packet)
		w.packets[0] = waitingPacket{} // or the array behind the slice would keep its bytes
		w.packets = w.packets[1:]
		w.drops.count(dropNoSA)
	}
	w.packets = append(w.packets, waitingPacket{packet, o, now})
	w.bytes += len(packet)
}

// take empties the room and returns the packets that have not waited too
// long, in their order.
func (w *waitingRoom) take(now time.Time) (fresh []waitingPacket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.packets {
		if now.Sub(p.since) > maxWait {
			w.drops.count(dropNoSA)
			continue
		}
		fresh = append(fresh, p)
	}
	w.packets, w.bytes = nil, 0
	return fresh
}
