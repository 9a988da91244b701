//go:build linux

package main

import (
	"net/netip"
	"time"

	"fathom/test/netlab"
)

// place is where two hosts are joined, or three.
type place struct {
	a, b    *netlab.Host
	outerA  string
	outerB  string
	mtu     int             // of the path, in bytes of IP packets outside
	setMTU  func(mtu int)   // of the path; nil where it cannot change
	hideMTU func(hide bool) // keeps ICMP from telling of it

	second *spoke // a second peer of a; nil: there is none
}

// spoke is a peer of a, the hub.
type spoke struct {
	host          *netlab.Host
	outer, outerA string // its address, and that of a on its link
}

// spokes returns b, and the second one where there is one.
func (p *place) spokes() []spoke {
	list := []spoke{{p.b, p.outerB, p.outerA}}
	if p.second != nil {
		list = append(list, *p.second)
	}
	return list
}

// rivalOverhead is what wireguard-go and nebula both add to a packet within UDP, in
// bytes: a header and a tag of 16 each.
const rivalOverhead = 32

// mtuInside is the largest MTU, in bytes, of a tunnel that adds overhead to a packet
// within UDP: all of the path is used, as by Fathom.
func (p *place) mtuInside(overhead int) int {
	const udp, ipv4, ipv6 = 8, 20, 40
	ip := ipv4
	if netip.MustParseAddr(p.outerB).Is6() {
		ip = ipv6
	}
	return p.mtu - ip - udp - overhead
}

// cableConfig is that of a cable from a to b, with the given offload.
func cableConfig(offload bool) netlab.LinkConfig {
	return netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24"), Offload: offload}
}

// join lays a cable between two hosts.
func join(lab *netlab.Lab, config netlab.LinkConfig) (*place, *netlab.Link) {
	a, b := lab.Host("a"), lab.Host("b")
	link := lab.Connect(a, b, config)
	return &place{a: a, b: b, outerA: config.AddrA[0].Addr().String(), outerB: config.AddrB[0].Addr().String(), mtu: link.A.MTU()}, link
}

func cable(lab *netlab.Lab) *place {
	at, _ := join(lab, cableConfig(true))
	return at
}

func bareCable(lab *netlab.Lab) *place {
	at, _ := join(lab, cableConfig(false))
	return at
}

func cableOfIPv6(lab *netlab.Lab) *place {
	at, _ := join(lab, netlab.LinkConfig{AddrA: netlab.Prefixes("fd01::1/64"), AddrB: netlab.Prefixes("fd01::2/64"), Offload: true})
	return at
}

const jumboMTU = 9000

func jumboCable(lab *netlab.Lab) *place {
	config := cableConfig(true)
	config.MTU = jumboMTU
	at, _ := join(lab, config)
	return at
}

func withoutUDPOffloads(lab *netlab.Lab) *place {
	at := cable(lab)
	at.a, at.b = at.a.Refusing(netlab.UDPOffloads), at.b.Refusing(netlab.UDPOffloads)
	return at
}

// Bits per second.
const slowRate, longRate = 100_000_000, 1_000_000_000

// longTrip is the round trip of the long path.
const longTrip = 50 * time.Millisecond

func slowLink(lab *netlab.Lab) *place {
	return wan(lab, netlab.Conditions{Rate: slowRate, Delay: 5 * time.Millisecond})
}

// longPath has a queue for what is under way, and hosts whose TCP may have enough under
// way to fill both.
func longPath(lab *netlab.Lab) *place {
	const underWay = int(longRate / 8 * int64(longTrip) / int64(time.Second))
	at := wan(lab, netlab.Conditions{Rate: longRate, Delay: longTrip / 2, Queue: underWay})
	for _, h := range []*netlab.Host{at.a, at.b} {
		h.Sysctl("net.ipv4.tcp_rmem", "4096 131072 67108864")
		h.Sysctl("net.ipv4.tcp_wmem", "4096 65536 67108864")
	}
	return at
}

// wan joins two hosts by a link of the same conditions both ways.
func wan(lab *netlab.Lab, wire netlab.Conditions) *place {
	a, b := lab.Host("a"), lab.Host("b")
	link := lab.UserLink(a, b, netlab.UserLinkConfig{
		AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24"), AtoB: wire, BtoA: wire,
	})
	return &place{a: a, b: b, outerA: "10.1.0.1", outerB: "10.1.0.2", mtu: link.A.MTU()}
}

func slowInterface(lab *netlab.Lab) *place {
	at, link := join(lab, cableConfig(true))
	link.A.LimitRate(slowRate, slowRate/8/20)
	return at
}

func deepQueue(lab *netlab.Lab) *place {
	at, link := join(lab, cableConfig(true))
	link.A.LimitRate(slowRate, slowRate/8*4)
	return at
}

// twoCables joins a second spoke to the hub.
func twoCables(lab *netlab.Lab) *place {
	at, _ := withSecond(lab)
	return at
}

func hub(lab *netlab.Lab) *place {
	at, second := withSecond(lab)
	second.A.LimitRate(slowPeerRate, slowPeerRate/8*2)
	return at
}

func withSecond(lab *netlab.Lab) (*place, *netlab.Link) {
	at := cable(lab)
	c := lab.Host("c")
	link := lab.Connect(at.a, c, netlab.LinkConfig{AddrA: netlab.Prefixes("10.2.0.1/24"), AddrB: netlab.Prefixes("10.2.0.2/24"), Offload: true})
	c.DefaultVia(link.A.Addr4()) // to the hub's other address too
	at.second = &spoke{host: c, outer: "10.2.0.2", outerA: "10.2.0.1"}
	return at, link
}

func shrinkingPath(lab *netlab.Lab) *place {
	a, r, b := lab.Host("a"), lab.Host("r"), lab.Host("b")
	left := lab.Connect(a, r, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.254/24"), Offload: true})
	right := lab.Connect(r, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.2.0.254/24"), AddrB: netlab.Prefixes("10.2.0.2/24"), Offload: true})
	r.Forward()
	a.DefaultVia(left.B.Addrs()...)
	b.DefaultVia(right.A.Addrs()...)
	return &place{a: a, b: b, outerA: "10.1.0.1", outerB: "10.2.0.2", mtu: wideMTU, setMTU: right.SetMTU, hideMTU: r.CutPTB}
}
