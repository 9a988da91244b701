package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Link is the TUN device as the host sees it: its addresses, its MTU, the routes
// into it and their guards. It knows what it is to have, and puts it right when
// others have changed it: see Restore. All but the guards disappears with the
// device, but stays on one that is persistent. One goroutine uses it.
type Link struct {
	name    string
	config  Config
	handle  *netlink.Handle
	dumps   *netlink.Handle  // for requests whose answers the kernel filters
	lookups *nl.SocketHandle // for what handle cannot ask
	strict  *nl.SocketHandle // for what dumps cannot ask
	link    netlink.Link
	gone    bool   // the interface; link is then what it was
	mark    uint32 // of our sockets
	table   int    // of the routes, 0: main
	policy  policy // of the default routes
	wanted  wanted
	seen    actual
	doubt   doubt     // of what is seen
	free    time.Time // not before is it looked at all routes again
	blind   bool      // the last look has failed
	learnt  learnt    // by Egress
	upkeep
}

// Attach finds the interface of a TUN device that is open, gives it its MTU and
// its addresses, and sets it up.
func Attach(name string, config Config) (_ *Link, err error) {
	l, err := newLink(name, config)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if err = l.find(); err != nil {
		return nil, err
	}
	if err = l.choose(config); err != nil {
		return nil, err
	}
	if err = l.applyMTU(); err != nil {
		return nil, err
	}
	for _, prefix := range config.Addresses {
		if err = l.applyAddress(prefix); err != nil && !isGone(err) {
			return nil, err
		}
		l.seen.addresses[prefix] = err == nil
	}
	if err = l.applyUp(); err != nil {
		return nil, err
	}
	return l, nil
}

// newLink makes a Link that has asked the host for nothing yet.
func newLink(name string, config Config) (_ *Link, err error) {
	l := &Link{name: name, config: config, upkeep: newUpkeep()}
	l.wanted = wanted{tableOf: l.tableOf, mtu: config.MTU, addresses: config.Addresses, routes: make(map[netip.Prefix]Route), guards: make(map[item]bool), rules: make(map[item]bool)}
	l.seen = actual{exists: true, up: true, mtu: config.MTU, addresses: make(map[netip.Prefix]bool), routes: make(map[netip.Prefix]Route), guards: make(map[item]bool), rules: make(map[item]bool)}
	if l.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	if l.dumps, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		l.handle.Close()
		return nil, fmt.Errorf("netlink: %w", err)
	}
	l.lookups, l.strict = new(nl.SocketHandle), new(nl.SocketHandle)
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	for _, socket := range []*nl.SocketHandle{l.lookups, l.strict} {
		if socket.Socket, err = nl.Subscribe(unix.NETLINK_ROUTE); err != nil {
			return nil, fmt.Errorf("netlink: %w", err)
		}
	}
	// Before Linux 4.20 the kernel does not filter, and package netlink does alone.
	_ = l.dumps.SetStrictCheck(true)
	_ = unix.SetsockoptInt(l.strict.Socket.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	return l, nil
}

// find looks the interface up by its name, and tells the kernel how large its
// superpackets may be.
func (l *Link) find() error {
	link, err := l.handle.LinkByName(l.name)
	if err != nil {
		return fmt.Errorf("find %s: %w", l.name, err)
	}
	l.link, l.gone = link, false
	l.wanted.set(func() { l.wanted.index = link.Attrs().Index })
	if l.config.GSOMaxSize > 0 {
		// Only for speed, and unknown to old kernels.
		_ = l.handle.LinkSetGSOMaxSize(link, l.config.GSOMaxSize)
	}
	return nil
}

// Close takes back the rules and the guards, unless the Config keeps them, and
// gives up the connection to the kernel. It leaves the interface, its addresses and
// its routes alone: they end with the device.
func (l *Link) Close() {
	if !l.config.KeepGuards {
		l.undivert()
		for _, i := range l.wanted.guarded() {
			_ = l.handle.RouteDel(guardRoute(i))
		}
	}
	l.handle.Close()
	l.dumps.Close()
	l.lookups.Close()
	l.strict.Close()
}

// KeepGuards makes Close leave the rules and the guards, as Config.KeepGuards does.
func (l *Link) KeepGuards() { l.config.KeepGuards = true }

// SetMTU changes the MTU of the interface, in bytes of an inner packet. While the
// interface is gone, it is what Restore will give it.
func (l *Link) SetMTU(mtu int) error {
	if mtu == l.wanted.mtu {
		return nil
	}
	l.wanted.set(func() { l.wanted.mtu = mtu })
	if err := l.applyMTU(); !isGone(err) {
		return err
	}
	return nil
}

// isGone reports whether a change failed since the interface, its being up or the
// address family is gone: Restore makes up for it.
func isGone(err error) bool {
	return errors.Is(err, ErrNoDevice) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENETDOWN) || errors.Is(err, ErrNoIPv6)
}

func (l *Link) applyMTU() error {
	return l.apply(fmt.Sprintf("set its MTU to %d", l.wanted.mtu), func() error { return l.handle.LinkSetMTU(l.link, l.wanted.mtu) })
}

func (l *Link) applyUp() error {
	return l.apply("set it up", func() error { return l.handle.LinkSetUp(l.link) })
}

func (l *Link) applyAddress(prefix netip.Prefix) error {
	addr := &netlink.Addr{IPNet: ipNet(prefix)}
	if prefix.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD // the link has no other host
	}
	// A persistent device may have it from the last time.
	return l.apply(fmt.Sprintf("add address %s", prefix), func() error { return withoutFamily(l.handle.AddrReplace(l.link, addr), familyOf(prefix.Addr())) })
}

// apply makes a change to the interface, which may be gone.
func (l *Link) apply(what string, change func() error) error {
	err := ErrNoDevice
	if !l.gone {
		err = change()
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", l.name, what, err)
	}
	return nil
}

// maxRouteMTU and maxRouteAdvMSS are the largest metrics that the kernel keeps
// (ip_metrics_convert), in bytes.
const maxRouteMTU, maxRouteAdvMSS = 65535 - 15, 65535 - 40

// Route leads a prefix into the device; one that is there already gets the new
// metrics. A route to the prefix that leads elsewhere is an error and stays as it
// is, and the prefix is not wanted any more. Of IPv6 routes, which may share a
// prefix, that concerns those with the default metric.
func (l *Link) Route(r Route) error {
	r.MTU, r.AdvMSS = min(r.MTU, maxRouteMTU), min(r.AdvMSS, maxRouteAdvMSS)
	old, known := l.wanted.route(r.Prefix)
	if known && old == r {
		return nil
	}
	l.wanted.set(func() { l.wanted.routes[r.Prefix] = r })
	if known && l.displaced[r.Prefix] != "" {
		return nil // the route in its place is left alone
	}
	switch err := l.applyRoute(r, known); {
	case err == nil || errors.Is(err, errRight):
		l.seen.routes[r.Prefix] = r
	case isGone(err):
		delete(l.seen.routes, r.Prefix)
	default:
		if !known {
			l.wanted.set(func() { delete(l.wanted.routes, r.Prefix) })
		}
		return err
	}
	return nil
}

// errElsewhere: the host has a route to the prefix that leads elsewhere.
var errElsewhere = errors.New("the host has a route to the same prefix through another interface; remove it, or set tunnel.routes = false and add your own")

// applyRoute adds the route, or replaces it if it is known to be ours. One that is
// there with the same metrics is errRight.
func (l *Link) applyRoute(r Route, ours bool) error {
	if l.gone {
		return fmt.Errorf("add route to %s: %w", r.Prefix, ErrNoDevice)
	}
	route := l.netlinkRoute(r)
	var err error
	if ours {
		err = l.handle.RouteReplace(route)
	} else {
		err = l.handle.RouteAdd(route)
	}
	if errors.Is(err, unix.EEXIST) {
		has, asked := l.inPlace(r.Prefix)
		switch {
		case asked != nil:
			return fmt.Errorf("add route to %s: %w", r.Prefix, asked)
		case has == nil || has.LinkIndex != route.LinkIndex:
			return fmt.Errorf("add route to %s: %w", r.Prefix, errElsewhere)
		case has.MTU == r.MTU && has.AdvMSS == r.AdvMSS:
			return errRight
		}
		err = l.handle.RouteReplace(route)
	}
	if err != nil {
		return fmt.Errorf("add route to %s: %w", r.Prefix, withoutFamily(err, familyOf(r.Prefix.Addr())))
	}
	return nil
}

func (l *Link) netlinkRoute(r Route) *netlink.Route {
	route := &netlink.Route{LinkIndex: l.link.Attrs().Index, Dst: ipNet(r.Prefix), Table: l.tableOf(r.Prefix), MTU: r.MTU, AdvMSS: r.AdvMSS, Protocol: unix.RTPROT_STATIC}
	if r.Prefix.Addr().Is4() {
		route.Scope = netlink.SCOPE_LINK
	}
	return route
}

// LargestMTU returns the largest MTU of the host's other interfaces that are
// up, in bytes: what the host can be given to forward. It is 0 if there is none.
// Loopback and the interfaces that stand for a VRF, which bring nothing of their
// own, are left out: their MTUs are those of no wire.
func (l *Link) LargestMTU() (largest int, err error) {
	links, err := consistent(l.handle.LinkList)
	if err != nil {
		return 0, fmt.Errorf("list interfaces: %w", err)
	}
	for _, other := range links {
		a := other.Attrs()
		if a.Index != l.link.Attrs().Index && a.Flags&net.FlagUp != 0 && a.Flags&net.FlagLoopback == 0 && other.Type() != "vrf" {
			largest = max(largest, min(a.MTU, maxPacket))
		}
	}
	return largest, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: net.IP(p.Addr().AsSlice()), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// familyOf returns the address family of an address, in netlink's terms.
func familyOf(addr netip.Addr) int {
	if addr.Is6() {
		return netlink.FAMILY_V6
	}
	return netlink.FAMILY_V4
}

// defaultPrefix returns the prefix that holds all addresses of a family.
func defaultPrefix(family int) netip.Prefix {
	if family == netlink.FAMILY_V6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// prefixOf is the inverse of ipNet; false if n is no IP network. The kernel
// leaves out the destination of a default route.
func prefixOf(n *net.IPNet, family int) (netip.Prefix, bool) {
	if n == nil {
		return defaultPrefix(family), true
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	bits, size := n.Mask.Size()
	if size == 8*net.IPv4len {
		addr = addr.Unmap() // the library writes 0.0.0.0 in 16 bytes
	}
	if !ok || size != addr.BitLen() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, bits), true
}
