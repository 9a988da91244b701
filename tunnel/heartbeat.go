package tunnel

import "sync/atomic"

// heartbeat tells others whether a packet loop goes on. The loop alone calls waits
// and works: an atomic store each, once for every read. The zero value is that of a
// loop that has not begun.
type heartbeat struct {
	turns uint64        // of the loop; its own
	shown atomic.Uint64 // twice the turns, and 1 while the loop is at work
}

// waits says that the loop is about to wait for packets.
func (h *heartbeat) waits() {
	h.turns++
	h.shown.Store(2 * h.turns)
}

// works says that the loop has something to do, or has done a part of it.
func (h *heartbeat) works() {
	h.turns++
	h.shown.Store(2*h.turns + 1)
}

// beat returns a number that changes with every turn of the loop, and whether the
// loop is at work. Any goroutine may call it.
func (h *heartbeat) beat() (turn uint64, working bool) {
	shown := h.shown.Load()
	return shown / 2, shown%2 == 1
}
