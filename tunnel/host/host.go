package host

import (
	"errors"
	"net/netip"
)

// MinIPv6LinkMTU is the smallest MTU at which Linux keeps IPv6 on a link
// (RFC 8200 section 5), in bytes.
const MinIPv6LinkMTU = 1280

// Route leads a prefix into the interface.
type Route struct {
	Prefix netip.Prefix
	// MTU is that of the route, in bytes of an inner packet: the kernel sends
	// and forwards nothing larger. 0: that of the interface.
	MTU int
	// AdvMSS is the MSS that the host's own TCP offers its peers behind the route
	// (RFC 9293 section 3.7.1), in bytes. It limits what they send and nothing
	// that is sent to them. 0: what fits the MTU.
	AdvMSS int
}

// ErrNoDevice: the interface does not exist and cannot be made again.
var ErrNoDevice = errors.New("the interface does not exist")

// ErrNoIPv6: the host has IPv6 switched off. What needs it is added when it has it.
var ErrNoIPv6 = errors.New("the host has IPv6 switched off")

// ErrFirstLineOnly: the guards stand beside their routes, and nothing else keeps packets
// from leaving by other ways where both are removed.
var ErrFirstLineOnly = errors.New("no second line of guards")

// Config is the first state of a Link.
type Config struct {
	// Addresses are those of the host on the interface, each with its network.
	Addresses []netip.Prefix
	// MTU is that of the interface, in bytes of an inner packet.
	MTU int
	// GSOMaxSize is the largest superpacket that the host is to make, in bytes.
	// Zero leaves it to the kernel, and so does a kernel that cannot set it.
	GSOMaxSize int
	// Mark is the fwmark of our sockets, by which rules tell their packets from
	// others. With 0 they have none, except where Defaults need one: see Link.Mark.
	Mark uint32
	// Table is the routing table of the routes, 0 the main table. Rules that look
	// there are the administrator's.
	Table int
	// Defaults are the prefixes of length 0 whose routes are to have a table and
	// rules of their own, one for each family at most: see Link.Divert.
	Defaults []netip.Prefix
	// Saved is where it is noted that a sysctl of the network namespace is to be
	// given back: a path, to which the namespace is added. The tunnels of a
	// namespace share it. Empty: the sysctl stays as it is.
	Saved string
	// Remake makes the interface again after somebody has deleted it. Nil: it
	// stays away.
	Remake func() error
	// KeepGuards leaves the guards of the routes in place when the Link is
	// closed, so that what they cover goes nowhere until the next start.
	KeepGuards bool
}
