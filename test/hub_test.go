//go:build linux

package test

import (
	"fmt"
	"slices"
	"testing"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestHub connects three spokes to one hub, each by an address family and a
// way to find the other of its own:
//
//	hub 10.77.0.1
//	 ├── north 10.77.0.2, 192.168.2.0/24 behind it   over IPv4, either calls
//	 ├── east  10.77.0.3                             over IPv6, either calls
//	 └── south 10.77.0.4                             over IPv4, behind a NAT, calls
//
// The hub forwards between them.
func TestHub(t *testing.T) {
	tier.Select(t)
	lab := labtest.New(t)
	hub, r := lab.Host("hub"), lab.Host("r")
	trunk := lab.Connect(hub, r, netlab.LinkConfig{
		AddrA: netlab.Prefixes("10.1.0.1/24", "fd01::1/64"), AddrB: netlab.Prefixes("10.1.0.254/24", "fd01::fe/64")})
	hub.DefaultVia(trunk.B.Addrs()...)
	hub.Forward()
	r.Forward()
	h := newGateway(t, hub, "10.77.0.1/24")

	spokes := make(map[string]*gateway.Gateway)
	outside := make(map[string]*netlab.Link)
	for i, name := range []string{"north", "east", "south"} {
		host := lab.Host(name)
		outside[name] = lab.Connect(r, host, netlab.LinkConfig{
			AddrA: netlab.Prefixes(fmt.Sprintf("10.%d.0.254/24", i+2), fmt.Sprintf("fd0%d::fe/64", i+2)),
			AddrB: netlab.Prefixes(fmt.Sprintf("10.%d.0.1/24", i+2), fmt.Sprintf("fd0%d::1/64", i+2))})
		host.DefaultVia(outside[name].A.Addrs()...)
		spokes[name] = newGateway(t, host, fmt.Sprintf("10.77.0.%d/24", i+2))
	}
	r.Masquerade(trunk.B) // what goes to the hub has r's address: a NAT
	lan := lab.Host("lan")
	inside := lab.Connect(spokes["north"].Host, lan, netlab.LinkConfig{
		AddrA: netlab.Prefixes("192.168.2.1/24"), AddrB: netlab.Prefixes("192.168.2.2/24")})
	lan.DefaultVia(inside.A.Addrs()...)
	spokes["north"].Host.Forward()

	check(t, h.Configure("",
		gateway.Peer{Gateway: spokes["north"], Endpoint: fmt.Sprintf("%s:%d", outside["north"].B.Addr4(), gateway.Port), Routed: []string{"192.168.2.0/24"}},
		gateway.Peer{Gateway: spokes["east"], Endpoint: fmt.Sprintf("[%s]:%d", outside["east"].B.Addr6(), gateway.Port)},
		gateway.Peer{Gateway: spokes["south"]},
	))
	for _, name := range []string{"north", "south"} {
		check(t, spokes[name].Configure("", gateway.Peer{
			Gateway: h, Endpoint: fmt.Sprintf("%s:%d", trunk.A.Addr4(), gateway.Port),
			Routed: []string{"10.77.0.0/24"}, Extra: `keepalive = "1s"`}))
	}
	check(t, spokes["east"].Configure("", gateway.Peer{
		Gateway: h, Endpoint: fmt.Sprintf("[%s]:%d", trunk.A.Addr6(), gateway.Port), Routed: []string{"10.77.0.0/24", "192.168.2.0/24"}}))
	up(t, h, spokes["north"], spokes["east"], spokes["south"])

	for name, g := range spokes {
		t.Run("from the hub to "+name, func(t *testing.T) {
			bulk(t, hub, g.Host, g.Inner[0].Addr().String(), 4<<20)
		})
		t.Run("from "+name+" to the hub", func(t *testing.T) {
			bulk(t, g.Host, hub, "10.77.0.1", 4<<20)
		})
	}
	t.Run("from a spoke through the hub to another", func(t *testing.T) {
		bulk(t, spokes["south"].Host, spokes["east"].Host, "10.77.0.3", 4<<20)
	})
	t.Run("from a spoke through the hub to a network behind another", func(t *testing.T) {
		bulk(t, spokes["east"].Host, lan, "192.168.2.2", 4<<20)
	})
	t.Run("a source that is not the peer's is dropped and counted", func(t *testing.T) {
		// East claims to be north.
		east := spokes["east"].Host
		east.Interface(gateway.Device).AddAddress(netlab.Prefixes("10.77.0.2/32")...)
		if out, err := east.Command(program(t, "ping", "iputils-ping"), "-c", "2", "-i", "0.05", "-W", "1", "-I", "10.77.0.2", "10.77.0.1").CombinedOutput(); err == nil {
			t.Errorf("a forged source is answered:\n%s", out)
		}
		s := await(t, h, func(s *status.Status) bool {
			return slices.ContainsFunc(s.Peers, func(p status.Peer) bool { return p.Dropped["source_address"] > 0 })
		})
		for _, p := range s.Peers {
			if n := p.Dropped["source_address"]; (n > 0) != (p.Name == "east") {
				t.Errorf("%s: %d packets with a foreign source", p.Name, n)
			}
		}
	})
}
