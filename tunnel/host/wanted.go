package host

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
)

// wanted is what a Link is to have. The goroutine that uses the Link changes it
// before it changes the host, so that the watch, which compares the kernel's
// events with it, knows the echo of our own changes.
type wanted struct {
	tableOf func(netip.Prefix) int // of the route to a prefix; set once

	mu        sync.Mutex // guards what follows
	index     int        // of the interface
	mtu       int
	addresses []netip.Prefix
	routes    map[netip.Prefix]Route
	guards    map[item]bool
	rules     map[item]bool
	displaced bool  // others have routes in place of ours
	doubt     doubt // what the events since the last look tell of
}

// actual is what a Link has, as it was seen last.
type actual struct {
	exists    bool // the interface
	up        bool
	mtu       int
	addresses map[netip.Prefix]bool
	routes    map[netip.Prefix]Route // into the interface, with the metric of ours
	guards    map[item]bool
	rules     map[item]bool
}

// amiss returns the differences from the wanted state, in the order in which they
// can be put right. Without the interface its addresses and routes are unknown.
func (w *wanted) amiss(s *actual) (list []item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for guard := range w.guards {
		if !s.guards[guard] {
			list = append(list, guard)
		}
	}
	for rule := range w.rules {
		if !s.rules[rule] {
			list = append(list, rule)
		}
	}
	if !s.exists {
		list = append(list, item{kind: KindDevice})
	} else {
		if s.mtu != w.mtu {
			list = append(list, item{kind: KindMTU})
		}
		if !s.up {
			list = append(list, item{kind: KindUp})
		}
		for _, prefix := range w.addresses {
			if !s.addresses[prefix] {
				list = append(list, item{kind: KindAddress, prefix: prefix})
			}
		}
		for prefix, route := range w.routes {
			if s.routes[prefix] != route {
				list = append(list, item{kind: KindRoute, prefix: prefix})
			}
		}
	}
	slices.SortFunc(list, item.compare)
	return list
}

// mended takes note that a thing has become as it is wanted.
func (s *actual) mended(i item, w *wanted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch i.kind {
	case KindGuard:
		s.guards[i] = true
	case KindRule:
		s.rules[i] = true
	case KindMTU:
		s.mtu = w.mtu
	case KindUp:
		s.up = true
	case KindAddress:
		s.addresses[i.prefix] = true
	case KindRoute:
		s.routes[i.prefix] = w.routes[i.prefix]
	}
}

// set changes the wanted state.
func (w *wanted) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// route returns the route that is wanted to a prefix.
func (w *wanted) route(prefix netip.Prefix) (Route, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.routes[prefix]
	return r, ok
}

// guarded returns the guards.
func (w *wanted) guarded() []item {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.guards))
}
