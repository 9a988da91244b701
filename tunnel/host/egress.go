package host

import (
	"errors"
	"net/netip"
)

// Flow is what the kernel chooses the way of our datagrams by, beside their
// protocol, which is UDP, and the mark of our sockets. Rules of the host may look
// at all of it.
type Flow struct {
	// Remote is the endpoint. A zone names the interface.
	Remote netip.AddrPort
	// Local is our end. An invalid address leaves it to the kernel, and so does
	// one that the host does not have any more: the sockets do likewise.
	Local netip.AddrPort
	// Interface is the index of the one that the datagrams are to leave by, 0: the
	// kernel chooses.
	Interface int
}

// Egress is the way of a flow out of the host.
type Egress struct {
	// MTU is the largest IP packet, in bytes, that leaves without being
	// fragmented.
	MTU int
	// Interface is the index of the interface by which it leaves, and Name its name.
	Interface int
	Name      string
}

// ErrLoop: a flow would enter the tunnel that it is to carry.
var ErrLoop = errors.New("the host's route to the endpoint leads into the tunnel itself")
