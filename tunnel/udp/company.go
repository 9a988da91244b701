package udp

import (
	"sync/atomic"
	"time"
)

// companyLasts is how long a destination is company for the others after the last
// data to it: longer than the pause between the packets of whatever looks whether
// a host is there. The first packet after it may have to wait for a full socket.
const companyLasts = 10 * time.Second

// company tells whether data goes to one destination or to several. Any number of
// goroutines may use it. The zero value has seen none.
type company struct {
	last    atomic.Pointer[Destination]
	changed atomic.Int64 // when data last went to another destination than before, 0: never
}

// sees notes data to a destination.
func (c *company) sees(to *Destination, now time.Duration) {
	if last := c.last.Load(); last != to {
		c.last.Store(to)
		if last != nil {
			c.changed.Store(int64(now))
		}
	}
}

// present reports whether there are several.
func (c *company) present(now time.Duration) bool {
	changed := c.changed.Load()
	return changed != 0 && now-time.Duration(changed) < companyLasts
}
