// Package host changes the host around a TUN device that package tun has
// opened, puts that right when others change it, and tells how the host reaches
// the peers.
//
//	Attach      the interface: MTU, addresses, up
//	Route       prefix ─▶ the interface, with an MTU or an MSS of its own
//	Guard       prefix ─▶ nowhere, while there is no such route
//	Divert      rules: what follows default routes, and what no route may catch
//	Restore     what the host has ─▶ what it is to have
//	LargestMTU  the other interfaces: what the host may be given to forward
//	Egress      flow ─▶ the way out, with its MTU (of the route, else the interface)
//	Watch       something of the Link's, or of the host's, has changed
//
// The wanted state, the differences from it, and when they are put right are decided
// without the kernel: wanted.go, restore.go, backoff.go. Whom an event concerns
// is decided in event.go.
//
// All of it goes through rtnetlink, in the network namespace of the thread that
// calls Attach and Watch. The package works on Linux; elsewhere each call
// returns errors.ErrUnsupported.
package host
