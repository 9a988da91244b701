package paths

import (
	"cmp"
	"fmt"
	"net/netip"
)

// A Pair is a way to the peer: where packets leave this host, and where they go.
// Addresses are never IPv4-mapped.
type Pair struct {
	// Interface is the index of the interface by which packets leave, 0 if the
	// kernel chooses it.
	Interface int
	// Local is the source address, invalid if the kernel chooses it.
	Local netip.Addr
	// Remote is the peer's outer address and port.
	Remote netip.AddrPort
}

// IsZero reports whether it is no pair at all.
func (p Pair) IsZero() bool { return p == Pair{} }

func (p Pair) String() string {
	if p.IsZero() {
		return "none"
	}
	return fmt.Sprintf("%d %v > %v", p.Interface, p.Local, p.Remote)
}

// sameEnds reports whether two pairs differ at most in the interface, and in what
// is left to the kernel.
func (p Pair) sameEnds(q Pair) bool {
	return p.Remote == q.Remote && (p.Local == q.Local || !p.Local.IsValid() || !q.Local.IsValid())
}

// completes reports whether a pair names what another leaves to the kernel, and differs
// from it in nothing else.
func (p Pair) completes(q Pair) bool {
	return p != q && p.sameEnds(q) && (q.Interface == 0 || q.Interface == p.Interface) && (!q.Local.IsValid() || q.Local == p.Local)
}

// A Cost is what the configuration thinks of a pair: the lower, the better. The
// uplink counts first.
type Cost struct {
	Uplink   int // place of the interface among the uplinks
	Endpoint int // place of the remote among the peer's endpoints
}

// heardEndpoint is the place of a remote that is no endpoint of the
// configuration: after all of those.
const heardEndpoint = 1 << 16

// compare is negative if c is the better of the two, zero if they are equal.
func (c Cost) compare(d Cost) int {
	return cmp.Or(cmp.Compare(c.Uplink, d.Uplink), cmp.Compare(c.Endpoint, d.Endpoint))
}

// A Candidate is a pair that the host offers: the interface is up, the address is
// there, and so is a route.
type Candidate struct {
	Pair
	Cost Cost
}
