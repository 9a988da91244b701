//go:build linux

package main

import (
	"fmt"

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

var scenes = []scene{
	{
		name: "cable", about: "one veth of 1500 bytes that cuts and joins superpackets as a network card does",
		lay: cable,
		contenders: []contender{
			noTunnel.taking(oneStream, bothWays, smallDatagrams, requestResponse),
			copyOnly.taking(oneStream),
			aes,
			chacha.taking(oneStream, smallDatagrams),
			singleQueue.taking(oneStream, eightStreams, bothWays),
			offloadOff.taking(oneStream, smallDatagrams, requestResponse),
			wireguard, nebula,
		},
		loads: []*load{oneStream, eightStreams, bothWays, smallDatagrams, requestResponse},
	},
	{
		name: "bare cable", about: "one veth of 1500 bytes whose ends cut, join and sum up nothing: the kernel cuts in software, and datagrams arrive one by one",
		lay:        bareCable,
		contenders: []contender{noTunnel.taking(oneStream), aes, wireguard, nebula},
		loads:      []*load{oneStream, smallDatagrams},
	},
	{
		name: "no UDP offloads", about: "the cable, between kernels that offer neither UDP_SEGMENT nor UDP_GRO nor superpackets of UDP at the TUN device",
		lay:        withoutUDPOffloads,
		contenders: []contender{aes, wireguard, nebula},
		loads:      []*load{oneStream, smallDatagrams},
	},
	{
		name: "IPv6", about: "the cable, with IPv6 outside",
		lay:        cableOfIPv6,
		contenders: []contender{aes, wireguard, nebula},
		loads:      []*load{oneStream, smallDatagrams, requestResponse},
	},
	{
		name: "jumbo", about: fmt.Sprintf("the cable, of %d bytes", jumboMTU),
		lay:        jumboCable,
		contenders: []contender{aes, wireguard, nebula},
		loads:      []*load{oneStream},
	},
	{
		name: "many connections", about: "the cable",
		lay:        cable,
		contenders: []contender{noTunnel.taking(shortConnections), aes, wireguard, nebula},
		loads:      []*load{streams64, streams512, shortConnections},
	},
	{
		name: "two clients", about: "a hub, with a cable to each of two clients",
		lay:        twoCables,
		contenders: []contender{noTunnel, aes, wireguard, nebula},
		loads:      []*load{bothClients},
	},
	{
		name: "long path", about: fmt.Sprintf("%v there and back at 1 Gbit/s, with a queue for %v before the bottleneck, in a router far away", longTrip, longTrip),
		lay:        longPath,
		contenders: []contender{noTunnel, aes, wireguard, nebula},
		loads:      []*load{longCUBIC, longBBR}, rounds: 3,
	},
	{
		name: "slow link", about: "100 Mbit/s and 10 ms there and back, with a queue of 100 ms before the bottleneck, in a router far away",
		lay:        slowLink,
		contenders: []contender{noTunnel, aes, wireguard, nebula},
		loads:      []*load{pingUnderLoad}, rounds: 3,
	},
	{
		name: "slow interface", about: "a veth whose sending end is limited to 100 Mbit/s by a token bucket with a queue of 50 ms",
		lay:        slowInterface,
		contenders: []contender{noTunnel, aes, wireguard, nebula},
		loads:      []*load{pingUnderLoad}, rounds: 3,
	},
	{
		name: "deep queue", about: "the same with a queue of four seconds, as where a driver has a long ring",
		lay:        deepQueue,
		contenders: []contender{aes, wireguard, nebula},
		loads:      []*load{pingUnderLoad}, rounds: 3,
	},
	{
		name: "hub", about: fmt.Sprintf("a cable to one peer, and to another a veth whose sending end is limited to %d Mbit/s by a token bucket with a queue of two seconds", slowPeerRate/1_000_000),
		lay:        hub,
		contenders: []contender{noTunnel, aes, wireguard, nebula},
		loads:      []*load{besideSlowPeer}, rounds: 3,
	},
	{
		name: "shrinking path", about: "two veths and a router, whose far side falls from 1500 to 1280 bytes in mid-transfer",
		lay:        shrinkingPath,
		contenders: []contender{aes, wireguard, nebula},
		loads:      []*load{shrinkTold, shrinkUntold},
	},
}
