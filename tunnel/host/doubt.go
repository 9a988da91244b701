package host

import "net/netip"

// doubt is what may have changed on the host since a Link has looked at it, as the
// watch has learnt from the kernel's events. So a deleted guard is put back without
// a look at all routes, which takes long on a host with many. What a look costs
// little for has no place here: the interface itself, its addresses and the rules.
type doubt struct {
	// all: anything, since events were lost, or nothing was watched yet.
	all bool
	// device: all routes into the interface. The kernel removes them without a word
	// when the interface is set down or loses its last IPv4 address.
	device bool
	guards map[item]bool
	routes map[netip.Prefix]bool // those into the interface, or in their place
}

// guard doubts one guard.
func (d *doubt) guard(i item) {
	if d.guards == nil {
		d.guards = make(map[item]bool)
	}
	d.guards[i] = true
}

// route doubts one route.
func (d *doubt) route(prefix netip.Prefix) {
	if d.routes == nil {
		d.routes = make(map[netip.Prefix]bool)
	}
	d.routes[prefix] = true
}

// add doubts what other doubts.
func (d *doubt) add(other doubt) {
	d.all, d.device = d.all || other.all, d.device || other.device
	for i := range other.guards {
		d.guard(i)
	}
	for prefix := range other.routes {
		d.route(prefix)
	}
}

// takeDoubt returns what is in doubt, and forgets it.
func (w *wanted) takeDoubt() doubt {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.doubt
	w.doubt = doubt{}
	return d
}
