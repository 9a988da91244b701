package host

import (
	"net/netip"
	"sync"

	"github.com/gaissmai/bart"
)

// Changes gathers how the ways of the host to others have changed, for one who
// takes all of it at once: a burst is answered once. A Watcher adds. Any
// goroutine may use it.
type Changes struct {
	told chan struct{}

	mu      sync.Mutex
	pending Change // guarded by mu
}

// NewChanges returns an empty Changes.
func NewChanges() *Changes { return &Changes{told: make(chan struct{}, 1)} }

// Told has a token when there is something to take: one for any number of
// changes.
func (c *Changes) Told() <-chan struct{} { return c.told }

// Take returns the changes since the last Take.
func (c *Changes) Take() Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.pending
	c.pending = Change{}
	return taken
}

// Any notes that every way may have changed.
func (c *Changes) Any() {
	c.mu.Lock()
	c.pending = Change{any: true}
	c.mu.Unlock()
	c.tell()
}

// To notes that the ways to the addresses of a prefix may have changed.
func (c *Changes) To(prefix netip.Prefix) {
	c.mu.Lock()
	if !c.pending.any {
		if c.pending.prefixes == nil {
			c.pending.prefixes = new(bart.Lite)
		}
		c.pending.prefixes.Insert(prefix)
	}
	c.mu.Unlock()
	c.tell()
}

// tell leaves a token. It never waits for room.
func (c *Changes) tell() {
	select {
	case c.told <- struct{}{}:
	default:
	}
}

// Change is how the ways of the host to others have changed.
type Change struct {
	any      bool
	prefixes *bart.Lite // nil: none
}

// Concerns reports whether the way to an address may be another.
func (c Change) Concerns(to netip.Addr) bool {
	return c.any || c.prefixes != nil && c.prefixes.Contains(to.WithZone(""))
}

// Wide reports whether more than single routes may have changed, such as an
// interface.
func (c Change) Wide() bool { return c.any }
