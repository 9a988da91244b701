package host

import (
	"cmp"
	"net/netip"
	"slices"
)

// Way is one way to a place: an interface, an address of it, and the place.
type Way struct {
	// Uplink is the name of the interface; empty: the kernel chooses.
	Uplink string
	Remote netip.AddrPort
	// Local is the address that datagrams leave from; invalid: not known.
	Local netip.Addr
	// Source is the address that the kernel is to be told for that; invalid: none. It
	// is Local, or else the kernel takes Local by itself. With IPv6 it must where
	// another interface has the better route: by an address that is named it looks
	// for the route, whatever interface is named beside it.
	Source netip.Addr
	// Egress is by which interface datagrams leave now, and how large they may be.
	Egress
}

// By returns the index of the interface that the kernel is to be told, 0: none.
func (w *Way) By() int {
	if w.Uplink == "" {
		return 0
	}
	return w.Interface
}

const (
	// MaxWays bounds the ways that Ways returns.
	MaxWays = 16
	// maxAddresses bounds the addresses of an interface that are tried for a place.
	maxAddresses = 4
)

// pickWays chooses at most MaxWays of the ways by some uplinks to some places, which
// by returns for one of each in order of preference. They are in order: by uplink,
// then place, then address. Where there are too many, the first address to the first
// place by each uplink counts for more than the second to any.
func pickWays(uplinks, places int, by func(uplink, place int) []Way) (ways []Way) {
	type picked struct {
		Way
		uplink, place, address int
	}
	var list []picked
	for address := range maxAddresses {
		for place := range places {
			for uplink := range uplinks {
				if len(list) == MaxWays {
					break
				}
				if found := by(uplink, place); address < len(found) {
					list = append(list, picked{found[address], uplink, place, address})
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b picked) int {
		return cmp.Or(a.uplink-b.uplink, a.place-b.place, a.address-b.address)
	})
	for _, p := range list {
		ways = append(ways, p.Way)
	}
	return ways
}

// uplinkState is an interface by which datagrams may leave.
type uplinkState struct {
	index     int
	carries   bool // is up, and has a carrier
	addresses []address
}

// address is one of an interface.
type address struct {
	netip.Addr
	local      bool // of a scope that does not leave the link: RFC 4007
	tentative  bool // not to be used yet, or never: RFC 4862 section 5.4
	deprecated bool // not for what is new: RFC 4862 section 5.5.4
	temporary  bool // RFC 8981
}

// sources returns the addresses of an uplink that a datagram to a place may leave from,
// the best first: chosen, which the kernel would take, those that stay, those that
// are temporary. What the kernel takes only where it has nothing better is not among
// them unless it does.
func (u *uplinkState) sources(to, chosen netip.Addr) (list []netip.Addr) {
	usable := slices.Clone(u.addresses)
	usable = slices.DeleteFunc(usable, func(a address) bool {
		switch {
		case a.Is4() != to.Is4() || a.tentative || a.IsLoopback():
			return true
		case a.Addr == chosen:
			return false
		case a.deprecated || a.local != to.IsLinkLocalUnicast():
			return true
		}
		// Of IPv6, the one address is of a network that the other knows no way to:
		// RFC 6724 section 2.1, labels. IPv4 has NATs.
		return to.Is6() && a.IsPrivate() != to.IsPrivate()
	})
	rank := func(a address) int {
		switch {
		case a.Addr == chosen:
			return 0
		case a.temporary:
			return 2
		}
		return 1
	}
	slices.SortStableFunc(usable, func(a, b address) int { return rank(a) - rank(b) })
	for _, a := range usable[:min(len(usable), maxAddresses)] {
		list = append(list, a.Addr)
	}
	return list
}
