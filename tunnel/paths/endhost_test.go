package paths

import "net/netip"

// What happens at the host of an end, and what its configuration says.

// offer tells the set what the host offers.
func (e *end) offer() {
	var all []Candidate
	for _, u := range e.uplinks {
		for i, to := range e.endpoints {
			if !u.down && to.Addr().Is4() == u.local.Is4() {
				all = append(all, Candidate{Pair{u.index, u.local, to}, Cost{u.cost, i}})
			}
		}
	}
	e.set.Candidates(all, e.w.now)
}

// withdraw tells the set that an address is gone.
func (e *end) withdraw(index int, local netip.Addr) {
	e.set.Withdraw(func(p Pair) bool { return p.Interface == index && p.Local == local }, e.w.now)
}

// linkDown and linkUp: the host knows at once.
func (e *end) linkDown(u *uplink) {
	e.w.tracef("%d: interface %d goes down", e.id, u.index)
	u.down = true
	e.withdraw(u.index, u.local)
	e.offer()
	e.attend()
}

func (e *end) linkUp(u *uplink) {
	e.w.tracef("%d: interface %d comes up", e.id, u.index)
	u.down = false
	e.offer()
	e.attend()
}

// renumber: the address is gone, and another there at once.
func (e *end) renumber(u *uplink, nat bool) {
	e.w.tracef("%d: interface %d is renumbered", e.id, u.index)
	old := u.local
	for _, p := range u.public {
		delete(e.w.where, p)
	}
	e.w.renumber(u, u.local.Is6(), nat)
	e.withdraw(u.index, old)
	e.offer()
	e.attend()
}

// know writes the endpoints of the peer into the configuration.
func (e *end) know() {
	for _, u := range e.peer.uplinks {
		e.endpoints = append(e.endpoints, u.public...)
	}
}

// lookUp looks up the peer's endpoints again. What was sent to the former ones was
// sent on the word of the configuration.
func (e *end) lookUp() {
	e.w.tracef("%d: looks up the endpoints", e.id)
	e.endpoints = nil
	clear(e.went)
	e.know()
	e.offer()
	e.attend()
}

// join makes the first handshake, by an uplink of each end.
func (w *world) join(a, b *uplink) {
	there, back := Pair{a.index, a.local, b.public[0]}, Pair{b.index, b.local, a.public[0]}
	roundTrip := 2 * (a.delay + b.delay)
	for _, end := range []struct {
		e  *end
		by Pair
	}{{a.end, there}, {b.end, back}} {
		e := end.e
		e.proved[end.by.Remote] = true
		e.lastHeard = w.now
		e.offer()
		e.set.Established(end.by, roundTrip, w.now)
		e.attend()
	}
}
