//go:build linux

package crowd

import (
	"net/netip"

	"fathom/test/gateway"
	"fathom/test/netlab"
)

// The addresses of a hub and of the host of its peers.
var (
	// HubOuter is where the hub listens.
	HubOuter = netip.AddrPortFrom(netip.MustParseAddr("10.1.0.1"), gateway.Port)
	// Gateway is the crowd's host, as the hub sees it.
	Gateway = netip.MustParseAddr("10.1.0.2")
)

// HubInner is the hub's address inside the tunnel. The peers have routes of
// their own.
const HubInner = "10.77.0.1/32"

var hubInner = netip.MustParsePrefix(HubInner).Addr()

// Hosts makes a host for a hub and one for a crowd, with a cable between:
//
//	hub 10.1.0.1 ── veth ── 10.1.0.2 crowd, 10.128.0.0/16 behind it
func Hosts(lab *netlab.Lab) (hub, crowd *netlab.Host) {
	hub, crowd = lab.Host("hub"), lab.Host("crowd")
	lab.Connect(hub, crowd, netlab.LinkConfig{
		AddrA: []netip.Prefix{netip.PrefixFrom(HubOuter.Addr(), 24)}, AddrB: []netip.Prefix{netip.PrefixFrom(Gateway, 24)},
	})
	hub.AddRoute(Outer, Gateway)
	return hub, crowd
}
