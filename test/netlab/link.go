//go:build linux

package netlab

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// EthernetMTU is the MTU of a link whose config names none.
const EthernetMTU = 1500

// LinkConfig describes a cable between two hosts. The zero value is an
// Ethernet without addresses.
type LinkConfig struct {
	AddrA, AddrB []netip.Prefix // of each end; see Prefixes
	NameA, NameB string         // interface names; by default the host's next free ethN
	MTU          int            // largest IP packet in bytes; 0 means EthernetMTU

	// Offload leaves segmentation and checksum offload on, as a benchmark
	// wants. By default they are off, so that the link carries packets as a real
	// wire would: DropLonger, LossPercent and a capture then see no 64 KiB
	// superpackets and no unfinished checksums.
	Offload bool
}

// Link is a veth pair: a full-duplex cable of unlimited speed.
type Link struct {
	A, B *Interface
}

// Connect lays a cable between two hosts and brings it up.
func (l *Lab) Connect(a, b *Host, config LinkConfig) *Link {
	link := &Link{
		A: a.reserve(config.NameA, "eth"),
		B: b.reserve(config.NameB, "eth"),
	}
	l.check("", fmt.Sprintf("connect %s with %s", link.A, link.B), link.lay(&config))
	link.A.AddAddress(config.AddrA...)
	link.B.AddAddress(config.AddrB...)
	return link
}

func (l *Link) lay(config *LinkConfig) error {
	mtu := config.MTU
	if mtu == 0 {
		mtu = EthernetMTU
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = l.A.name, mtu
	err := l.A.host.nl.LinkAdd(&netlink.Veth{
		LinkAttrs:     attrs,
		PeerName:      l.B.name,
		PeerNamespace: netlink.NsFd(l.B.host.ns),
		PeerMTU:       uint32(mtu),
	})
	if err != nil {
		return err
	}
	for _, end := range []*Interface{l.A, l.B} {
		if err := end.resolve(); err != nil {
			return err
		}
		if !config.Offload {
			end.SetOffload(false)
		}
		if err := end.set(end.host.nl.LinkSetUp); err != nil {
			return err
		}
	}
	return nil
}

// SetMTU changes the MTU of both ends while traffic flows. One end alone is
// changed by its own SetMTU: a veth receives up to the MTU of its own end (and
// the four bytes of a VLAN tag), so what the longer end sends is lost without a
// word. DropLonger is exact.
func (l *Link) SetMTU(mtu int) {
	l.A.SetMTU(mtu)
	l.B.SetMTU(mtu)
}

// Down cuts the cable.
func (l *Link) Down() { l.A.Down() }

// Up mends it.
func (l *Link) Up() { l.A.Up() }
