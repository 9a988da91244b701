package host

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Ways returns the ways from the sockets that listen at an address, or all addresses
// if that is invalid, to a peer's places: by each of the uplinks, which are the names
// of interfaces, to each of the places of the same address family, as far as the
// host's tables hold a route there. Without such a route the kernel would take the
// place for a neighbour. The first uplinks are preferred, then the first places; there
// are at most MaxWays. Without uplinks the kernel chooses: one way to each place.
//
// An uplink that does not exist, is down or has no carrier has no ways. What the host
// has is as it was at the last Forget.
func (l *Link) Ways(listen netip.AddrPort, uplinks []string, remotes []netip.AddrPort) []Way {
	if len(uplinks) == 0 {
		uplinks = []string{""}
	}
	remotes = remotes[:min(len(remotes), MaxWays)]
	return pickWays(len(uplinks), len(remotes), func(uplink, place int) []Way {
		key := wayKey{uplinks[uplink], listen, remotes[place]}
		ways, known := l.learnt.ways[key]
		if !known {
			if ways = l.chosenWay(key); key.uplink != "" {
				ways = l.waysBy(key)
			}
			l.learnt.keep(key, ways)
		}
		return ways
	})
}

// chosenWay is the kernel's.
func (l *Link) chosenWay(key wayKey) []Way {
	flow := Flow{Remote: key.remote, Local: key.listen}
	e, err := l.egress(flow)
	if err != nil {
		return nil
	}
	route, _ := l.lookUp(flow, 0)
	if l.has(route.source) {
		return nil // the uplink has lost its own, and the kernel takes what is left
	}
	return []Way{{Remote: key.remote, Local: route.source, Egress: e}}
}

// has reports whether an address is one of the device's.
func (l *Link) has(address netip.Addr) bool {
	return slices.ContainsFunc(l.config.Addresses, func(p netip.Prefix) bool { return p.Addr() == address })
}

// waysBy returns the ways by an uplink to a place.
func (l *Link) waysBy(key wayKey) (ways []Way) {
	up := l.uplinkState(key.uplink)
	if !up.carries || up.index == l.link.Attrs().Index {
		return nil
	}
	to, port, only := key.remote.Addr(), key.listen.Port(), key.listen.Addr()
	if l.learnt.isLocal(to.WithZone(""), l.isLocal) {
		return nil // by an uplink it would leave the host that it is meant for
	}
	flow := Flow{Remote: key.remote, Local: netip.AddrPortFrom(netip.Addr{}, port), Interface: up.index}
	chosen, err := l.lookUp(flow, 0)
	if err != nil {
		chosen = routeFound{} // by an address there may be a way: rules look at it
	}
	for _, local := range up.sources(to, chosen.source) {
		if only.IsValid() && local != only {
			continue
		}
		way := Way{Uplink: key.uplink, Remote: key.remote, Local: local, Source: local}
		named := flow
		named.Local = netip.AddrPortFrom(local, port)
		if way.Egress, err = l.egress(named); err != nil && to.Is6() && local == chosen.source && !only.IsValid() {
			way.Source = netip.Addr{}
			way.Egress, err = l.egress(flow)
		}
		if err == nil {
			ways = append(ways, way)
		}
	}
	return ways
}

// uplinkState returns what an interface is now, or was when it was first asked for. One
// that cannot be read carries nothing.
func (l *Link) uplinkState(name string) *uplinkState {
	if up, known := l.learnt.uplinks[name]; known {
		return up
	}
	up := new(uplinkState)
	if link, err := l.handle.LinkByName(name); err == nil {
		up.index = link.Attrs().Index
		found, err := consistent(func() ([]event, error) { return l.addresses(up.index) })
		for _, e := range found {
			up.addresses = append(up.addresses, e.address)
		}
		up.carries = carries(link.Attrs().RawFlags) && err == nil
	}
	if l.learnt.uplinks == nil {
		l.learnt.uplinks = make(map[string]*uplinkState)
	}
	l.learnt.uplinks[name] = up
	return up
}

// carries reports whether an interface with these flags carries packets: it is up, and
// so is what is below it (RFC 2863 section 3.1.13, dormant and lowerLayerDown).
func carries(flags uint32) bool {
	const all = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
	return flags&all == all
}
