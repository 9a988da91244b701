package inspect

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"fathom/tunnel/doctor"
	"fathom/tunnel/host"
	"fathom/tunnel/status"
)

// namesWithin bounds how long the look-ups of all names may take.
const namesWithin = 3 * time.Second

// place is one at which a peer may be.
type place struct {
	peer string
	at   netip.AddrPort
}

// findPlaces resolves the endpoints of the configuration, and adds where the tunnel knows
// the peers to be.
func (i *inspection) findPlaces(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	resolver := host.Resolver(i.mark())
	var mu sync.Mutex
	var lookups sync.WaitGroup
	add := func(p place) {
		if !slices.Contains(i.places, p) {
			i.places = append(i.places, p)
		}
	}
	for _, p := range i.config.Peers {
		for _, e := range p.Endpoints {
			if addr := e.Addr(); addr.IsValid() {
				mu.Lock()
				add(place{p.Name, netip.AddrPortFrom(addr, e.Port)})
				mu.Unlock()
				continue
			}
			lookups.Go(func() {
				found, err := resolver.LookupNetIP(ctx, "ip", e.Host)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					i.seen.Names = append(i.seen.Names, doctor.Name{Peer: p.Name, Host: e.Host, Problem: err.Error()})
				}
				for _, addr := range found {
					add(place{p.Name, netip.AddrPortFrom(addr.Unmap(), e.Port)})
				}
			})
		}
	}
	lookups.Wait()
	if i.status == nil {
		return
	}
	for _, p := range i.status.Peers {
		if at, err := netip.ParseAddrPort(p.Endpoint); err == nil {
			add(place{p.Name, at})
		}
	}
}

// mark returns that of the tunnel's own packets.
func (i *inspection) mark() uint32 {
	if i.status != nil {
		return i.status.FwMark
	}
	return i.config.Tunnel.FwMark
}

// ways looks up the host's ways to the places.
func (i *inspection) ways() {
	for _, p := range i.places {
		way := doctor.Way{Peer: p.peer, To: p.at}
		routes, err := netlink.RouteGetWithOptions(p.at.Addr().AsSlice(), &netlink.RouteGetOptions{Mark: i.mark()})
		switch {
		case err != nil:
			way.Problem = err.Error()
		case len(routes) > 0:
			way.Interface = nameOf(routes[0].LinkIndex)
			way.From, _ = netip.AddrFromSlice(routes[0].Src)
			way.From = way.From.Unmap()
		}
		i.seen.Ways = append(i.seen.Ways, way)
	}
}

// returns looks up by which interface the host would answer what comes from the places by
// the uplinks.
func (i *inspection) returns() {
	for _, uplink := range i.seen.Interfaces {
		if !slices.Contains(i.config.Tunnel.Uplinks, uplink.Name) {
			continue
		}
		for _, address := range uplink.Addresses {
			for _, p := range i.places {
				if !address.Addr().Is4() || !p.at.Addr().Is4() {
					continue
				}
				one := doctor.Return{Peer: p.peer, Uplink: uplink.Name}
				routes, err := netlink.RouteGetWithOptions(p.at.Addr().AsSlice(), &netlink.RouteGetOptions{SrcAddr: address.Addr().AsSlice(), Mark: i.mark()})
				if err == nil && len(routes) > 0 {
					one.Answered = nameOf(routes[0].LinkIndex)
				}
				i.seen.Returns = append(i.seen.Returns, one)
			}
		}
	}
}

// routes looks up where packets for the prefixes of the peers go, by an address of each.
// Default routes have rules of their own, which the tunnel keeps.
func (i *inspection) routes() {
	if i.status == nil {
		return
	}
	for _, p := range i.config.Peers {
		for _, prefix := range p.AllowedIPs {
			inside, ok := sample(prefix, i.elsewhere(p.Name, prefix))
			if !ok || !i.carries(p.Name, prefix) {
				continue
			}
			one := doctor.Route{Peer: p.Name, Prefix: prefix}
			if routes, err := netlink.RouteGet(inside.AsSlice()); err == nil && len(routes) > 0 {
				one.Interface = nameOf(routes[0].LinkIndex)
			}
			if one.Interface == "lo" {
				continue // it is an address of this host: another check tells
			}
			i.seen.Routes = append(i.seen.Routes, one)
		}
	}
}

// carries reports whether the running tunnel has a prefix: the file may be newer.
func (i *inspection) carries(peer string, prefix netip.Prefix) bool {
	return slices.ContainsFunc(i.status.Peers, func(p status.Peer) bool { return p.Name == peer && slices.Contains(p.AllowedIPs, prefix) })
}

// elsewhere returns what lies within a prefix of a peer's and does not belong to that: longer
// prefixes of others, and the networks in which the host is, of which another check tells.
func (i *inspection) elsewhere(peer string, prefix netip.Prefix) (list []netip.Prefix) {
	for _, p := range i.config.Peers {
		for _, other := range p.AllowedIPs {
			if p.Name != peer && other.Bits() > prefix.Bits() && other.Overlaps(prefix) {
				list = append(list, other)
			}
		}
	}
	for _, one := range i.seen.Interfaces {
		for _, p := range one.Addresses {
			if one.Name != i.config.Tunnel.Name && p.Overlaps(prefix) {
				list = append(list, p)
			}
		}
	}
	return list
}

// sample returns an address of a prefix that is not elsewhere, false if it finds none. Of a
// default route it is not looked for.
func sample(prefix netip.Prefix, elsewhere []netip.Prefix) (inside netip.Addr, ok bool) {
	if prefix.Bits() == 0 {
		return netip.Addr{}, false
	}
	first := prefix.Masked().Addr()
	for bit := prefix.Addr().BitLen(); bit >= prefix.Bits(); bit-- {
		b := first.AsSlice()
		if bit < prefix.Addr().BitLen() {
			b[len(b)-1] |= 1 // a network's own address is none
			b[bit/8] |= 0x80 >> (bit % 8)
		}
		inside, _ = netip.AddrFromSlice(b)
		if bit == prefix.Addr().BitLen() && !prefix.IsSingleIP() {
			continue
		}
		if !slices.ContainsFunc(elsewhere, func(p netip.Prefix) bool { return p.Contains(inside) }) {
			return inside, true
		}
	}
	return netip.Addr{}, false
}

func nameOf(index int) string {
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return ""
	}
	return link.Attrs().Name
}

// prefixOf returns what netlink calls a network, false if it is none.
func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits), ok
}
