package conf

import (
	"fmt"
	"net/netip"
	"slices"
)

// checkLoops finds outer addresses that are routed into the tunnel: its own
// packets would go around in it instead of leaving the host. The kernel adds
// routes to the networks of the interface by itself. Without routes of ours to
// allowed_ips, the administrator's lead elsewhere.
func (k *checker) checkLoops() {
	networks, holders := make(map[netip.Prefix]bool), make(map[netip.Prefix]at)
	for _, p := range k.config.Tunnel.Addresses {
		networks[p.Masked()] = true
	}
	for _, o := range slices.Backward(k.prefixes) {
		if k.config.Tunnel.Routes {
			holders[o.prefix] = o.at
		}
	}
	for i, p := range k.config.Peers {
		outside := true
		for _, prefix := range prefixesAround(p.Endpoint) {
			if outside && networks[prefix] {
				k.place(k.peers[i], "endpoint").fail(fmt.Sprintf("%s is in %s, the network of tunnel.address: the tunnel's own packets would be routed into the tunnel", p.Endpoint.Addr(), prefix),
					"an outer address, by which the peer can be reached without the tunnel")
				outside = false
			}
			if a, ok := holders[prefix]; ok {
				a.fail(fmt.Sprintf("%s holds the endpoint %s of %s: the tunnel's own packets would be routed into the tunnel", prefix, p.Endpoint, k.peer(i)),
					"narrower prefixes, or tunnel.routes = false and routes of your own")
				delete(holders, prefix) // once is enough
			}
		}
	}
}

// prefixesAround returns every prefix that holds an endpoint, the shortest
// first: of a name, whose address is not known yet, those that hold all.
func prefixesAround(e Endpoint) (list []netip.Prefix) {
	addr := e.Addr().WithZone("")
	if !addr.IsValid() && !e.IsZero() {
		return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	}
	for bits := 0; addr.IsValid() && bits <= addr.BitLen(); bits++ {
		list = append(list, netip.PrefixFrom(addr, bits).Masked())
	}
	return list
}
