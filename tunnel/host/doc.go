// Package host changes the host around a TUN device that package tun has
// opened, and tells how the host reaches the peers.
//
//	Attach  the interface: MTU, addresses, up
//	Route   prefix ─▶ the interface, with an MTU or an MSS of its own
//	LargestMTU  the other interfaces: what the host may be given to forward
//	Egress  flow ─▶ the way out, with its MTU (of the route, else the interface)
//	Watch   an interface, a route or a rule of the host has changed
//
// All of it goes through rtnetlink, in the network namespace of the thread that
// calls Attach and Watch. The package works on Linux; elsewhere each call
// returns errors.ErrUnsupported.
package host
