package conf

import (
	"fmt"
	"iter"
	"net/netip"
)

// checkLoops finds outer addresses that are routed into the tunnel: its own
// packets would go around in it instead of leaving the host.
func (k *checker) checkLoops() {
	k.checkAddressLoops()
	// Without routes of ours, the administrator's lead elsewhere.
	if !k.config.Tunnel.Routes {
		return
	}
	holders := make(map[netip.Prefix]at)
	for _, o := range k.prefixes {
		if _, ok := holders[o.prefix]; !ok {
			holders[o.prefix] = o.at
		}
	}
	reported := make(map[netip.Prefix]bool)
	for i, p := range k.config.Peers {
		for prefix := range prefixesAround(p.Endpoint) {
			a, ok := holders[prefix]
			if !ok || reported[prefix] {
				continue
			}
			reported[prefix] = true
			a.fail(fmt.Sprintf("%s holds the endpoint %s of %s: the tunnel's own packets would be routed into the tunnel", prefix, p.Endpoint, k.peer(i)),
				"narrower prefixes, or tunnel.routes = false and routes of your own")
		}
	}
}

// checkAddressLoops finds endpoints in the network of the interface, to which
// the kernel adds a route by itself.
func (k *checker) checkAddressLoops() {
	own := make(map[netip.Prefix]bool)
	for _, p := range k.config.Tunnel.Addresses {
		own[p.Masked()] = true
	}
	for i, p := range k.config.Peers {
		for prefix := range prefixesAround(p.Endpoint) {
			if own[prefix] {
				k.place(k.peers[i], "endpoint").fail(fmt.Sprintf("%s is in %s, the network of tunnel.address: the tunnel's own packets would be routed into the tunnel", p.Endpoint.Addr(), prefix),
					"an outer address, by which the peer can be reached without the tunnel")
				break
			}
		}
	}
}

// prefixesAround yields every prefix that holds an endpoint: of a name, whose
// address is not known yet, only those that hold all addresses.
func prefixesAround(e Endpoint) iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		if e.IsZero() {
			return
		}
		addr := e.Addr().WithZone("")
		if !addr.IsValid() {
			_ = yield(netip.PrefixFrom(netip.IPv4Unspecified(), 0)) && yield(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
			return
		}
		for bits := 0; bits <= addr.BitLen(); bits++ {
			prefix, err := addr.Prefix(bits)
			if err != nil || !yield(prefix) {
				return
			}
		}
	}
}
