package tunnel

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"fathom/tunnel/udp"
)

// hopTrap catches the ICMP messages about packets to a peer while its hops are measured.
// The packet loops put in, the control goroutine sets it and takes out. A message costs
// them nothing else: which probe it is about, if any, the control goroutine finds out.
type hopTrap struct {
	set  atomic.Bool
	mu   sync.Mutex // guards what follows
	held []caught
}

// caught is a message, and when it came.
type caught struct {
	kind     udp.ICMPKind
	by       netip.Addr
	mtu      int
	spi, seq uint32 // of the packet that it quotes
	at       time.Time
}

// maxCaught bounds the messages that wait. It is more than a fan has probes, and a
// flood loses its own: what it crowds out is asked for again.
const maxCaught = 256

// catch keeps a message. It reports whether it is the first that waits.
func (t *hopTrap) catch(m caught) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.held) == maxCaught {
		return false
	}
	t.held = append(t.held, m)
	return len(t.held) == 1
}

// take appends what waits to dst.
func (t *hopTrap) take(dst []caught) []caught {
	t.mu.Lock()
	defer t.mu.Unlock()
	dst = append(dst, t.held...)
	t.held = t.held[:0]
	return dst
}

// release ends the trap.
func (t *hopTrap) release() {
	t.set.Store(false)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = nil
}
