package tunnel

import (
	"net/netip"
	"sync/atomic"

	"github.com/gaissmai/bart"
)

// routes maps inner addresses to peers by the longest matching prefix of
// their allowed_ips. Any goroutine may look up; the control goroutine replaces the
// table as a whole.
type routes struct {
	table atomic.Pointer[bart.Table[*peer]]
}

func newRoutes(peers []*peer) *routes {
	r := new(routes)
	r.replace(peers)
	return r
}

// replace makes the table that of these peers, at once for all prefixes.
func (r *routes) replace(peers []*peer) {
	table := new(bart.Table[*peer])
	for _, p := range peers {
		for _, prefix := range p.allowed {
			table.Insert(prefix, p)
		}
	}
	r.table.Store(table)
}

// lookup returns the peer that an inner address belongs to, nil if none.
func (r *routes) lookup(addr netip.Addr) *peer {
	p, _ := r.table.Load().Lookup(addr)
	return p
}
