package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Link is the TUN device as the host sees it: its addresses, its MTU and the
// routes into it. All of it disappears with the device, but stays on one that
// is persistent. One goroutine uses it.
type Link struct {
	handle  *netlink.Handle
	lookups *nl.SocketHandle // for what handle cannot ask
	link    netlink.Link
	mtu     int
	mark    uint32                 // of our sockets
	routes  map[netip.Prefix]Route // that were added
	learnt  learnt                 // by Egress
}

// Attach finds the interface of a TUN device that is open, gives it its MTU and
// its addresses, and sets it up.
func Attach(name string, config Config) (_ *Link, err error) {
	l := &Link{mark: config.Mark, routes: make(map[netip.Prefix]Route)}
	if l.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	l.lookups = new(nl.SocketHandle)
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.lookups.Socket, err = nl.Subscribe(unix.NETLINK_ROUTE); err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	if l.link, err = l.handle.LinkByName(name); err != nil {
		return nil, fmt.Errorf("find %s: %w", name, err)
	}
	if err = l.SetMTU(config.MTU); err != nil {
		return nil, err
	}
	if config.GSOMaxSize > 0 {
		// Only for speed, and unknown to old kernels.
		_ = l.handle.LinkSetGSOMaxSize(l.link, config.GSOMaxSize)
	}
	for _, prefix := range config.Addresses {
		addr := &netlink.Addr{IPNet: ipNet(prefix)}
		if prefix.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD // the link has no other host
		}
		// A persistent device may have it from the last time.
		if err = l.handle.AddrReplace(l.link, addr); err != nil {
			return nil, fmt.Errorf("add address %s to %s: %w", prefix, name, err)
		}
	}
	if err = l.handle.LinkSetUp(l.link); err != nil {
		return nil, fmt.Errorf("set %s up: %w", name, err)
	}
	return l, nil
}

// Close gives up the connection to the kernel. It leaves the interface, its
// addresses and its routes alone: they end with the device.
func (l *Link) Close() {
	l.handle.Close()
	l.lookups.Close()
}

// SetMTU changes the MTU of the interface, in bytes of an inner packet.
func (l *Link) SetMTU(mtu int) error {
	if mtu == l.mtu {
		return nil
	}
	if err := l.handle.LinkSetMTU(l.link, mtu); err != nil {
		return fmt.Errorf("set MTU of %s to %d: %w", l.link.Attrs().Name, mtu, err)
	}
	l.mtu = mtu
	return nil
}

// LargestMTU returns the largest MTU of the host's other interfaces that are
// up, in bytes: what the host can be given to forward. It is 0 if there is none.
// Loopback and the interfaces that stand for a VRF, which bring nothing of their
// own, are left out: their MTUs are those of no wire.
func (l *Link) LargestMTU() (largest int, err error) {
	links, err := l.handle.LinkList()
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

// Route leads a prefix into the device; a route that is there already is
// replaced. A route to the prefix that leads elsewhere is an error and stays as
// it is. Of IPv6 routes, which may share a prefix, that concerns those with the
// default metric.
func (l *Link) Route(route Route) error {
	prefix := route.Prefix
	old, known := l.routes[prefix]
	if known && old == route {
		return nil
	}
	r := &netlink.Route{LinkIndex: l.link.Attrs().Index, Dst: ipNet(prefix), MTU: route.MTU, AdvMSS: route.AdvMSS, Protocol: unix.RTPROT_STATIC}
	if prefix.Addr().Is4() {
		r.Scope = netlink.SCOPE_LINK
	}
	var err error
	if known {
		err = l.handle.RouteReplace(r)
	} else {
		err = l.handle.RouteAdd(r)
	}
	if errors.Is(err, unix.EEXIST) {
		if !l.owns(r) {
			return fmt.Errorf("add route to %s: the host has one to the same prefix through another interface; remove it, or set tunnel.routes = false and add your own", prefix)
		}
		err = l.handle.RouteReplace(r)
	}
	if err != nil {
		return fmt.Errorf("add route to %s: %w", prefix, err)
	}
	l.routes[prefix] = route
	return nil
}

// owns reports whether the main table's route to r's prefix leads into the
// device: the kernel adds one for each address of the device.
func (l *Link) owns(r *netlink.Route) bool {
	family := netlink.FAMILY_V4
	if r.Dst.IP.To4() == nil {
		family = netlink.FAMILY_V6
	}
	found, err := l.handle.RouteListFiltered(family, &netlink.Route{Dst: r.Dst, Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
	if err != nil {
		return false
	}
	for _, f := range found {
		if f.LinkIndex != r.LinkIndex {
			return false
		}
	}
	return len(found) > 0
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: net.IP(p.Addr().AsSlice()), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
