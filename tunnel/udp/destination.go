package udp

import "net/netip"

// A Destination is a place to send to. Where it is does not change.
type Destination struct {
	remote netip.AddrPort
	local  netip.Addr
	native
	ownOutlet
}

// NewDestination returns the place remote, to which datagrams leave from the
// host's address local. The kernel chooses the local address if local is invalid
// or the host does not have it any more.
func NewDestination(remote netip.AddrPort, local netip.Addr) *Destination {
	return &Destination{remote: remote, local: local, native: nativeOf(remote, local)}
}

// Remote returns the address and port that datagrams go to.
func (d *Destination) Remote() netip.AddrPort { return d.remote }

// Local returns the address of the host that they leave from; invalid: the kernel
// chooses.
func (d *Destination) Local() netip.Addr { return d.local }

// IPv6 tells the address family.
func (d *Destination) IPv6() bool { return d.remote.Addr().Is6() }

// Matches reports whether a datagram from remote that arrived at local is answered
// by way of d.
func (d *Destination) Matches(remote netip.AddrPort, local netip.Addr) bool {
	return d.remote == remote && d.local == local
}
