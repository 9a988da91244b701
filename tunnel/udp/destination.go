package udp

import "net/netip"

// A Destination is a place to send to. Where it is does not change.
type Destination struct {
	remote netip.AddrPort
	local  netip.Addr
	index  int // of the interface, 0: the kernel chooses
	exact  bool
	size   refusedSize // of the data
	native
	ownOutlet
}

// NewDestination returns the place remote, to which datagrams leave from the
// host's address local. The kernel chooses the local address if local is invalid
// or the host does not have it any more.
func NewDestination(remote netip.AddrPort, local netip.Addr) *Destination {
	return NewDestinationBy(remote, local, 0)
}

// NewDestinationBy is NewDestination by way of an interface, whose index is given.
// Datagrams leave by no other, and not at all while the host does not have it; an
// address that the host has lost gives way to one of the interface's.
//
// With IPv6 that needs the kernel to choose the address. An address that is named
// makes it look for the route first, and the interface only decides among routes that
// are equal: it may be another that the datagrams leave by. See host.Link.Ways.
func NewDestinationBy(remote netip.AddrPort, local netip.Addr, index int) *Destination {
	return &Destination{remote: remote, local: local, index: index, native: nativeOf(remote, local, index)}
}

// Exactly returns the same place, for datagrams that tell of the way: they leave from
// the address that is named, or are refused with ErrNoSource.
func (d *Destination) Exactly() *Destination {
	exact := NewDestinationBy(d.remote, d.local, d.index)
	exact.exact = true
	return exact
}

// Remote returns the address and port that datagrams go to.
func (d *Destination) Remote() netip.AddrPort { return d.remote }

// Local returns the address of the host that they leave from; invalid: the kernel
// chooses.
func (d *Destination) Local() netip.Addr { return d.local }

// Interface returns the index of the interface that they leave by; 0: the kernel
// chooses.
func (d *Destination) Interface() int { return d.index }

// IPv6 tells the address family.
func (d *Destination) IPv6() bool { return d.remote.Addr().Is6() }

// Matches reports whether a datagram from remote that arrived at local is answered
// by way of d.
func (d *Destination) Matches(remote netip.AddrPort, local netip.Addr) bool {
	return d.remote == remote && d.local == local
}
