//go:build linux

package main

import (
	"fmt"
	"time"

	"fathom/test/netlab"
)

// scene is a place with the contenders and the measurements there.
type scene struct {
	name, about string
	lay         func(*netlab.Lab) *place
	contenders  []contender
	loads       []*load
	rounds      int // at most, where figures hardly vary; 0: as many as asked for
}

// place is where two hosts are joined.
type place struct {
	a, b    *netlab.Host
	outerA  string
	outerB  string
	setMTU  func(mtu int)   // of the path; nil where it cannot change
	hideMTU func(hide bool) // keeps ICMP from telling of it

	slow *spoke // a second peer of a; nil: there is none
}

// spoke is a host that a reaches by another link than b.
type spoke struct {
	host          *netlab.Host
	outer, outerA string // its address, and that of a on its link
}

var scenes = []scene{
	{
		name: "cable", about: "one veth of 1500 bytes that cuts and joins superpackets as a network card does",
		lay: func(l *netlab.Lab) *place { return cable(l, true) },
		contenders: []contender{
			noTunnel.taking(oneStream, bothWays, smallDatagrams, requestResponse),
			copyOnly.taking(oneStream),
			aes,
			chacha.taking(oneStream, smallDatagrams),
			singleQueue.taking(oneStream, eightStreams, bothWays),
			offloadOff.taking(oneStream, smallDatagrams, requestResponse),
			wireguard,
		},
		loads: []*load{oneStream, eightStreams, bothWays, smallDatagrams, requestResponse},
	},
	{
		name: "bare cable", about: "one veth of 1500 bytes whose ends cut, join and sum up nothing: the kernel cuts in software, and datagrams arrive one by one",
		lay:        func(l *netlab.Lab) *place { return cable(l, false) },
		contenders: []contender{noTunnel.taking(oneStream), aes, wireguard},
		loads:      []*load{oneStream, smallDatagrams},
	},
	{
		name: "no UDP offloads", about: "the cable, between kernels that offer neither UDP_SEGMENT nor UDP_GRO nor superpackets of UDP at the TUN device",
		lay:        withoutUDPOffloads,
		contenders: []contender{aes, wireguard},
		loads:      []*load{oneStream, smallDatagrams},
	},
	{
		name: "slow link", about: "100 Mbit/s and 10 ms there and back, with a queue of 100 ms before the bottleneck, in a router far away",
		lay:        slowLink,
		contenders: []contender{noTunnel, aes, wireguard},
		loads:      []*load{pingUnderLoad}, rounds: 3,
	},
	{
		name: "slow interface", about: "a veth whose sending end is limited to 100 Mbit/s by a token bucket with a queue of 50 ms",
		lay:        slowInterface,
		contenders: []contender{noTunnel, aes, wireguard},
		loads:      []*load{pingUnderLoad}, rounds: 3,
	},
	{
		name: "deep queue", about: "the same with a queue of four seconds, as where a driver has a long ring",
		lay:        deepQueue,
		contenders: []contender{aes, wireguard},
		loads:      []*load{pingUnderLoad}, rounds: 3,
	},
	{
		name: "hub", about: fmt.Sprintf("a cable to one peer, and to another a veth whose sending end is limited to %d Mbit/s by a token bucket with a queue of two seconds", slowPeerRate/1_000_000),
		lay:        hub,
		contenders: []contender{noTunnel, aes, wireguard},
		loads:      []*load{besideSlowPeer}, rounds: 3,
	},
	{
		name: "shrinking path", about: "two veths and a router, whose far side falls from 1500 to 1280 bytes in mid-transfer",
		lay:        shrinkingPath,
		contenders: []contender{aes, wireguard},
		loads:      []*load{shrinkTold, shrinkUntold},
	},
}

func cable(lab *netlab.Lab, offload bool) *place {
	a, b := lab.Host("a"), lab.Host("b")
	lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24"), Offload: offload})
	return &place{a: a, b: b, outerA: "10.1.0.1", outerB: "10.1.0.2"}
}

func withoutUDPOffloads(lab *netlab.Lab) *place {
	at := cable(lab, true)
	at.a, at.b = at.a.Refusing(netlab.UDPOffloads), at.b.Refusing(netlab.UDPOffloads)
	return at
}

const slowRate = 100_000_000 // bits per second

func slowLink(lab *netlab.Lab) *place {
	a, b := lab.Host("a"), lab.Host("b")
	wire := netlab.Conditions{Rate: slowRate, Delay: 5 * time.Millisecond}
	lab.UserLink(a, b, netlab.UserLinkConfig{
		AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24"), AtoB: wire, BtoA: wire,
	})
	return &place{a: a, b: b, outerA: "10.1.0.1", outerB: "10.1.0.2"}
}

func slowInterface(lab *netlab.Lab) *place {
	at, link := limitedCable(lab)
	link.A.LimitRate(slowRate, slowRate/8/20)
	return at
}

func limitedCable(lab *netlab.Lab) (*place, *netlab.Link) {
	a, b := lab.Host("a"), lab.Host("b")
	link := lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24"), Offload: true})
	return &place{a: a, b: b, outerA: "10.1.0.1", outerB: "10.1.0.2"}, link
}

func deepQueue(lab *netlab.Lab) *place {
	at, link := limitedCable(lab)
	link.A.LimitRate(slowRate, slowRate/8*4)
	return at
}

func hub(lab *netlab.Lab) *place {
	at := cable(lab, true)
	c := lab.Host("c")
	link := lab.Connect(at.a, c, netlab.LinkConfig{AddrA: netlab.Prefixes("10.2.0.1/24"), AddrB: netlab.Prefixes("10.2.0.2/24"), Offload: true})
	link.A.LimitRate(slowPeerRate, slowPeerRate/8*2)
	at.slow = &spoke{host: c, outer: "10.2.0.2", outerA: "10.2.0.1"}
	return at
}

func shrinkingPath(lab *netlab.Lab) *place {
	a, r, b := lab.Host("a"), lab.Host("r"), lab.Host("b")
	left := lab.Connect(a, r, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.254/24"), Offload: true})
	right := lab.Connect(r, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.2.0.254/24"), AddrB: netlab.Prefixes("10.2.0.2/24"), Offload: true})
	r.Forward()
	a.DefaultVia(left.B.Addrs()...)
	b.DefaultVia(right.A.Addrs()...)
	return &place{a: a, b: b, outerA: "10.1.0.1", outerB: "10.2.0.2", setMTU: right.SetMTU, hideMTU: r.CutPTB}
}
