//go:build linux

package netlab

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Interface is a network interface of a host. Its methods may be called
// concurrently and while traffic flows.
type Interface struct {
	// Set once.
	host  *Host
	name  string
	index int // 0 while the name is only reserved; written under host.mu

	addrs []netip.Addr // guarded by host.mu
}

// reserve takes the name, or the first free one that starts with base.
func (h *Host) reserve(name, base string) *Interface {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := func(name string) bool {
		return slices.ContainsFunc(h.interfaces, func(i *Interface) bool { return i.name == name })
	}
	for n := 0; name == ""; n++ {
		if next := fmt.Sprint(base, n); !taken(next) {
			name = next
		}
	}
	i := &Interface{host: h, name: name}
	h.interfaces = append(h.interfaces, i)
	return i
}

// resolve learns the index of an interface that has just been made.
func (i *Interface) resolve() error {
	link, err := i.host.nl.LinkByName(i.name)
	if err != nil {
		return err
	}
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	i.index = link.Attrs().Index
	return nil
}

// set applies a change to the kernel's idea of the interface.
func (i *Interface) set(change func(netlink.Link) error) error {
	return change(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: i.name, Index: i.index}})
}

// Name returns the name of the interface in its host.
func (i *Interface) Name() string { return i.name }

// Host returns the host that has the interface.
func (i *Interface) Host() *Host { return i.host }

func (i *Interface) String() string { return i.host.name + "/" + i.name }

// SetMTU changes the largest IP packet, in bytes, that the host sends here.
// Below 1280 the kernel takes IPv6 away from the interface (RFC 8200, 5), with
// its addresses and routes.
func (i *Interface) SetMTU(mtu int) {
	err := i.set(func(l netlink.Link) error { return i.host.nl.LinkSetMTU(l, mtu) })
	i.host.check(fmt.Sprintf("set MTU of %s to %d", i.name, mtu), err)
}

// MTU returns the MTU in bytes of the IP packet.
func (i *Interface) MTU() int { return i.attrs().MTU }

// LimitRate limits the host's sending on this interface to bits per second, by a
// token bucket in front of which at most queue bytes wait.
func (i *Interface) LimitRate(bits int64, queue int) {
	const bucket = 72 << 10 // a superpacket must fit
	err := i.set(func(netlink.Link) error {
		return i.host.nl.QdiscReplace(&netlink.Tbf{
			QdiscAttrs: netlink.QdiscAttrs{LinkIndex: i.index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
			Rate:       uint64(bits) / 8, Buffer: netlink.Xmittime(uint64(bits)/8, bucket), Limit: uint32(queue),
		})
	})
	i.host.check(fmt.Sprintf("limit %s to %d bit/s", i.name, bits), err)
}

// Up brings the interface up. Of the addresses and routes that Down took away,
// only IPv4's routes to its own networks come back.
func (i *Interface) Up() {
	i.host.check("bring up "+i.name, i.set(func(l netlink.Link) error { return i.host.nl.LinkSetUp(l) }))
}

// Down takes the interface down. The other end of a cable then has no carrier.
func (i *Interface) Down() {
	i.host.check("take down "+i.name, i.set(func(l netlink.Link) error { return i.host.nl.LinkSetDown(l) }))
}

// AddAddress gives the interface addresses, usable at once, and the host a
// route to each of their networks.
func (i *Interface) AddAddress(addresses ...netip.Prefix) {
	for _, address := range addresses {
		addr := &netlink.Addr{IPNet: ipNet(address, false)}
		if address.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		err := i.set(func(l netlink.Link) error { return i.host.nl.AddrAdd(l, addr) })
		i.host.check(fmt.Sprintf("add address %v to %s", address, i.name), err)
		i.host.mu.Lock()
		i.addrs = append(i.addrs, address.Addr())
		i.host.mu.Unlock()
	}
}

// RemoveAddress takes addresses away again.
func (i *Interface) RemoveAddress(addresses ...netip.Prefix) {
	for _, address := range addresses {
		addr := &netlink.Addr{IPNet: ipNet(address, false)}
		err := i.set(func(l netlink.Link) error { return i.host.nl.AddrDel(l, addr) })
		i.host.check(fmt.Sprintf("remove address %v from %s", address, i.name), err)
		i.host.mu.Lock()
		i.addrs = slices.DeleteFunc(i.addrs, func(a netip.Addr) bool { return a == address.Addr() })
		i.host.mu.Unlock()
	}
}

// Addrs returns the addresses that AddAddress (or a link's config) gave, in
// that order.
func (i *Interface) Addrs() []netip.Addr {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return slices.Clone(i.addrs)
}

// Addr4 returns the first IPv4 address, or the zero Addr.
func (i *Interface) Addr4() netip.Addr { return i.first(netip.Addr.Is4) }

// Addr6 returns the first IPv6 address, or the zero Addr.
func (i *Interface) Addr6() netip.Addr { return i.first(netip.Addr.Is6) }

func (i *Interface) first(family func(netip.Addr) bool) netip.Addr {
	addrs := i.Addrs()
	if n := slices.IndexFunc(addrs, family); n >= 0 {
		return addrs[n]
	}
	return netip.Addr{}
}

// InterfaceStats are the kernel's counters of an interface.
type InterfaceStats struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64 // of whole frames: with the Ethernet header on a veth
	RxDropped, TxDropped uint64 // packets
}

// Stats returns the counters since the interface was made.
func (i *Interface) Stats() InterfaceStats {
	s := i.attrs().Statistics
	return InterfaceStats{
		RxPackets: s.RxPackets, TxPackets: s.TxPackets,
		RxBytes: s.RxBytes, TxBytes: s.TxBytes,
		RxDropped: s.RxDropped, TxDropped: s.TxDropped,
	}
}

func (i *Interface) attrs() *netlink.LinkAttrs {
	link, err := i.host.nl.LinkByIndex(i.index)
	i.host.check("look at "+i.name, err)
	return link.Attrs()
}
