package tunnel

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Routers and filters may treat packets by their DSCP and ECN field, and drivers may
// treat trains of datagrams (UDP_SEGMENT) otherwise than single ones. So probes leave as
// large data does: dataClasses is what the packet loops note of it, and recentClasses
// what the control goroutine remembers of that.

// classSet is a set of TOS octets (of IPv6: traffic classes).
type classSet [4]uint64

func (s *classSet) empty() bool { return *s == classSet{} }

// union returns what is in either.
func (s classSet) union(o classSet) classSet {
	for i := range s {
		s[i] |= o[i]
	}
	return s
}

// next returns the first member from tos on; not ok: there is none.
func (s *classSet) next(tos int) (_ int, ok bool) {
	for ; tos < 256; tos = (tos | 63) + 1 {
		if rest := s[tos>>6] >> (tos & 63); rest != 0 {
			return tos + bits.TrailingZeros64(rest), true
		}
	}
	return 0, false
}

// dataClasses collects how large data leaves to a peer. The packet loops read it for
// each packet, and write only what is not in it yet: no lock, and no cache line that
// changes hands.
type dataClasses struct {
	seen   [4]atomic.Uint64 // a classSet
	trains atomic.Bool      // it leaves in trains, too
}

// congestion is the ECN field that routers set (RFC 3168 section 5). Their senders set
// ECT(0), or ECT(1).
const congestion = 3

// note takes in a packet of size bytes with a TOS octet, both of the outer packet. One
// that is much smaller than the PLPMTU says nothing of what has its size.
func (c *dataClasses) note(tos uint8, size, plpmtu int) {
	if size < plpmtu-plpmtu/8 {
		return
	}
	if tos&congestion == congestion {
		tos &^= 1
	}
	word, bit := &c.seen[tos>>6], uint64(1)<<(tos&63)
	if word.Load()&bit == 0 {
		word.Or(bit)
	}
}

// noteTrain takes in that data leaves in a train.
func (c *dataClasses) noteTrain() {
	if !c.trains.Load() {
		c.trains.Store(true)
	}
}

// take returns what was noted since the last call.
func (c *dataClasses) take() (seen noted) {
	for i := range c.seen {
		if c.seen[i].Load() != 0 {
			seen.classes[i] = c.seen[i].Swap(0)
		}
	}
	seen.trains = c.trains.Load() && c.trains.Swap(false)
	return seen
}

// noted is how large data has left.
type noted struct {
	classes classSet
	trains  bool // some of it in trains
}

// with returns both together.
func (n noted) with(o noted) noted { return noted{n.classes.union(o.classes), n.trains || o.trains} }

// classesLast is how long a class counts at least after its last packet, while other
// large data flows. Without any, what flowed last counts.
const classesLast = 30 * time.Second

// recentClasses remembers how large data has left of late. The zero value is that of a
// peer that was sent none. Owned by the control goroutine; pure.
type recentClasses struct {
	now, before noted     // in this period, and in the one before
	until       time.Time // the end of this period
}

// look takes in what was noted. It reports whether any data was large, and whether it
// has left in a way that probes have not, so that nothing is known of it.
func (r *recentClasses) look(seen noted, at time.Time) (large, fresh bool) {
	if seen.classes.empty() {
		return false, false
	}
	if at.After(r.until) {
		r.before, r.now, r.until = r.now, noted{}, at.Add(classesLast)
	}
	known := r.all()
	fresh = known.with(seen) != known
	r.now = r.now.with(seen)
	return true, fresh
}

// all returns the classes: before any, best effort.
func (r *recentClasses) all() noted {
	all := r.now.with(r.before)
	if all.classes.empty() {
		all.classes[0] = 1
	}
	return all
}
