package host

import (
	"net/netip"
	"slices"
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

// Any notes that every way may have changed, and that what has come or gone is not
// known.
func (c *Changes) Any() {
	c.note(func(pending *Change) { *pending = Change{any: true, unknown: true} })
}

// Interface notes that an interface carries packets now, or does not any more: it is
// gone or down, or has no carrier.
func (c *Changes) Interface(index int, carries bool) { c.part(part{index: index}, carries) }

// Address notes that an interface has an address now, or does not any more.
func (c *Changes) Address(index int, addr netip.Addr, there bool) { c.part(part{index, addr}, there) }

// maxParts bounds the interfaces and addresses that are told by name.
const maxParts = 1024

func (c *Changes) part(of part, there bool) {
	c.note(func(pending *Change) {
		pending.any, pending.prefixes = true, nil
		if pending.parts == nil {
			pending.parts = make(map[part]bool)
		}
		was, known := pending.parts[of]
		if !known && len(pending.parts) == maxParts {
			pending.parts, pending.returned, pending.owners, pending.unknown = nil, nil, nil, true
		}
		if pending.unknown {
			return
		}
		if known && there && !was {
			if pending.returned == nil {
				pending.returned = make(map[part]bool)
			}
			pending.returned[of] = true
		}
		if !known && of.addr.IsValid() {
			if pending.owners == nil {
				pending.owners = make(map[netip.Addr][]int)
			}
			pending.owners[of.addr] = append(pending.owners[of.addr], of.index)
		}
		pending.parts[of] = there
	})
}

// To notes that the ways to the addresses of a prefix may have changed.
func (c *Changes) To(prefix netip.Prefix) {
	c.note(func(pending *Change) {
		if pending.any {
			return
		}
		if pending.prefixes == nil {
			pending.prefixes = new(bart.Lite)
		}
		pending.prefixes.Insert(prefix)
	})
}

// note adds to what is pending, and leaves a token. It never waits for room.
func (c *Changes) note(add func(pending *Change)) {
	c.mu.Lock()
	add(&c.pending)
	c.mu.Unlock()
	select {
	case c.told <- struct{}{}:
	default:
	}
}

// Change is how the ways of the host to others have changed.
type Change struct {
	any      bool
	prefixes *bart.Lite // nil: none
	// parts are the interfaces and addresses that have changed, and whether they are
	// there now. Some may be missing if that is unknown.
	parts   map[part]bool
	unknown bool
	// returned are those of parts that were gone before they were there again.
	returned map[part]bool
	// owners are the interfaces of the addresses among parts.
	owners map[netip.Addr][]int
}

// part is an interface, or an address of one.
type part struct {
	index int
	addr  netip.Addr // invalid: the interface itself
}

// ownersOf returns the interfaces on which an address has changed: the given one, or all
// if the index is 0.
func (c Change) ownersOf(index int, addr netip.Addr) []int {
	owners := c.owners[addr]
	if index == 0 {
		return owners
	}
	if i := slices.Index(owners, index); i >= 0 {
		return owners[i : i+1]
	}
	return nil
}

// Concerns reports whether the way to an address may be another.
func (c Change) Concerns(to netip.Addr) bool {
	return c.any || c.prefixes != nil && c.prefixes.Contains(to.WithZone(""))
}

// Wide reports whether more than single routes may have changed, such as an
// interface.
func (c Change) Wide() bool { return c.any }

// Lost reports whether a way that leaves by an interface from an address can certainly
// not be used any more, since one of the two is gone. An index of 0 stands for
// whatever interface has the address, an invalid address for any of the interface's.
// False may mean that it is not known: Link.Ways tells.
func (c Change) Lost(index int, local netip.Addr) bool {
	there, told := c.parts[part{index: index}]
	if told && !there {
		return true
	}
	lost := false
	for _, owner := range c.ownersOf(index, local) {
		if c.parts[part{owner, local}] {
			return false
		}
		lost = true
	}
	return lost
}

// Returned reports whether an interface, or an address, was gone for a moment: datagrams
// that were sent meanwhile may have left by another way. Index and address are as for
// Lost.
func (c Change) Returned(index int, local netip.Addr) bool {
	if of := (part{index: index}); c.returned[of] && c.parts[of] {
		return true
	}
	return slices.ContainsFunc(c.ownersOf(index, local), func(owner int) bool {
		of := part{owner, local}
		return c.returned[of] && c.parts[of]
	})
}

// Came reports whether an interface, or an address of it, may have come: there may be
// ways by it now that there were not.
func (c Change) Came(index int) bool {
	for of, there := range c.parts {
		if of.index == index && there {
			return true
		}
	}
	return c.unknown
}
