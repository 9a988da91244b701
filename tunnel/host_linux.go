package tunnel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// minIPv6LinkMTU is the smallest MTU at which Linux keeps IPv6 on a link
// (RFC 8200 section 5), in bytes.
const minIPv6LinkMTU = 1280

// deviceGSOMaxSize is the largest superpacket that the host is to make, in
// bytes: what fits one train of the outbox, overhead included, at the common
// MTUs. A larger one would cost a second system call for its last pieces.
const deviceGSOMaxSize = 60000

// hostLink is the TUN device as the host sees it: its addresses, its MTU and
// the routes into it. All of it disappears with the device, but stays on one
// that is persistent. Owned by the control goroutine.
type hostLink struct {
	handle *netlink.Handle
	link   netlink.Link
	mtu    int
	routes map[netip.Prefix]int // MTU of each route that was added
}

// openDevice makes the TUN device in the first shape that the kernel does not
// refuse, gives it its addresses and sets it up.
func openDevice(name string, addresses []netip.Prefix, mtu int, shapes []deviceShape) (_ *tunDevice, _ *hostLink, err error) {
	device, err := createTUN(name, shapes)
	if err != nil {
		return nil, nil, deviceError(name, err)
	}
	h := &hostLink{routes: make(map[netip.Prefix]int)}
	defer func() {
		if err != nil {
			device.Close()
			h.close()
		}
	}()
	if h.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, nil, fmt.Errorf("netlink: %w", err)
	}
	if h.link, err = h.handle.LinkByName(name); err != nil {
		return nil, nil, fmt.Errorf("find %s: %w", name, err)
	}
	if err = h.setMTU(mtu); err != nil {
		return nil, nil, err
	}
	// Only for speed, and unknown to old kernels.
	_ = h.handle.LinkSetGSOMaxSize(h.link, deviceGSOMaxSize)
	for _, prefix := range addresses {
		addr := &netlink.Addr{IPNet: ipNet(prefix)}
		if prefix.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD // nobody else is on the link
		}
		// A persistent device may have it from the last time.
		if err = h.handle.AddrReplace(h.link, addr); err != nil {
			return nil, nil, fmt.Errorf("add address %s to %s: %w", prefix, name, err)
		}
	}
	if err = h.handle.LinkSetUp(h.link); err != nil {
		return nil, nil, fmt.Errorf("set %s up: %w", name, err)
	}
	return device, h, nil
}

// deviceError says what to do about a TUN device that cannot be made.
func deviceError(name string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("make TUN device %s: %w (run as root or with CAP_NET_ADMIN; /dev/net/tun must be readable and writable)", name, err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("make TUN device %s: %w (another process has it; choose another tunnel.name or stop that process)", name, err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("make TUN device %s: %w (if another interface has that name, choose another tunnel.name)", name, err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("make TUN device %s: %w (load the kernel module: modprobe tun)", name, err)
	}
	return fmt.Errorf("make TUN device %s: %w", name, err)
}

func (h *hostLink) close() {
	if h.handle != nil {
		h.handle.Close()
	}
}

// setMTU changes the device's MTU, in bytes of an inner packet.
func (h *hostLink) setMTU(mtu int) error {
	if mtu == h.mtu {
		return nil
	}
	if err := h.handle.LinkSetMTU(h.link, mtu); err != nil {
		return fmt.Errorf("set MTU of %s to %d: %w", h.link.Attrs().Name, mtu, err)
	}
	h.mtu = mtu
	return nil
}

// route leads a prefix into the device with the given MTU, in bytes of an
// inner packet; one that is there already gets the new MTU. A route to the
// prefix that leads elsewhere is an error and stays as it is.
func (h *hostLink) route(prefix netip.Prefix, mtu int) error {
	old, known := h.routes[prefix]
	if known && old == mtu {
		return nil
	}
	r := &netlink.Route{LinkIndex: h.link.Attrs().Index, Dst: ipNet(prefix), MTU: mtu, Protocol: unix.RTPROT_STATIC}
	if prefix.Addr().Is4() {
		r.Scope = netlink.SCOPE_LINK
	}
	var err error
	if known {
		err = h.handle.RouteReplace(r)
	} else {
		err = h.handle.RouteAdd(r)
	}
	if errors.Is(err, unix.EEXIST) {
		if !h.owns(r) {
			return fmt.Errorf("add route to %s: the host has one to the same prefix through another interface; remove it, or set tunnel.routes = false and add your own", prefix)
		}
		err = h.handle.RouteReplace(r)
	}
	if err != nil {
		return fmt.Errorf("add route to %s: %w", prefix, err)
	}
	h.routes[prefix] = mtu
	return nil
}

// owns reports whether the main table's route to r's prefix leads into the
// device: the kernel adds one for each address of the device.
func (h *hostLink) owns(r *netlink.Route) bool {
	family := netlink.FAMILY_V4
	if r.Dst.IP.To4() == nil {
		family = netlink.FAMILY_V6
	}
	found, err := h.handle.RouteListFiltered(family, &netlink.Route{Dst: r.Dst, Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
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

// errLoop reports that packets to a peer's endpoint would go into the tunnel
// itself.
var errLoop = errors.New("the host's route to the endpoint leads into the tunnel itself")

// egressMTU returns the largest IP packet, in bytes, that the host can send
// towards an address without fragmenting it: the MTU of the route, if it has
// one, else that of the interface. The kernel's path MTU cache has no say in
// it: anybody can write there who can forge an ICMP message.
func (h *hostLink) egressMTU(to netip.Addr) (int, error) {
	ip := net.IP(to.AsSlice())
	routes, err := h.handle.RouteGet(ip)
	if err == nil && len(routes) == 0 {
		err = unix.ENETUNREACH
	}
	if err != nil {
		return 0, fmt.Errorf("route to %s: %w", to, err)
	}
	if routes[0].LinkIndex == h.link.Attrs().Index {
		return 0, fmt.Errorf("%s: %w", to, errLoop)
	}
	link, err := h.handle.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return 0, fmt.Errorf("egress interface towards %s: %w", to, err)
	}
	mtu := min(link.Attrs().MTU, maxDatagram)
	// The entry of the routing table, as opposed to what RouteGet returns,
	// shows the administrator's MTU and not the cached one.
	entries, err := h.handle.RouteGetWithOptions(ip, &netlink.RouteGetOptions{FIBMatch: true})
	if err == nil && len(entries) > 0 && entries[0].MTU > 0 {
		mtu = min(mtu, entries[0].MTU)
	}
	return mtu, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: net.IP(p.Addr().AsSlice()), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
