package tunnel

import (
	"net/netip"

	"github.com/gaissmai/bart"
)

// routes maps inner addresses to peers by the longest matching prefix of
// their allowed_ips. It is built once and then only read, by any goroutine.
type routes struct {
	table bart.Table[*peer]
}

func newRoutes(peers []*peer) *routes {
	r := new(routes)
	for _, p := range peers {
		for _, prefix := range p.allowed {
			r.table.Insert(prefix, p)
		}
	}
	return r
}

// lookup returns the peer that an inner address belongs to, nil if none.
func (r *routes) lookup(addr netip.Addr) *peer {
	p, _ := r.table.Lookup(addr)
	return p
}
