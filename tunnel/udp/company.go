package udp

import "sync/atomic"

// A Company counts the destinations that data can go to now: see OutboxConfig.Wait.
// Any number of goroutines may use it. The zero value has none.
type Company struct{ members atomic.Int32 }

// Join takes note of one more destination.
func (c *Company) Join() { c.members.Add(1) }

// Leave takes note that one that has joined is none any more.
func (c *Company) Leave() { c.members.Add(-1) }

// Several reports whether there are several. That one of them is sent nothing now does
// not matter: its next packet is not to wait for the others.
func (c *Company) Several() bool { return c.members.Load() > 1 }
