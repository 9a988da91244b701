package doctor

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"fathom/conf"
	"fathom/tunnel/status"
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// healthy is a pair of gateways between two networks, seen from one end, where all is well.
func healthy() *Case {
	now := time.Date(2026, 7, 29, 12, 0, 0, 0, time.UTC)
	addresses := prefixes("10.77.0.1/24", "fd77::1/64")
	return &Case{
		Config: &conf.Config{
			Tunnel: conf.Tunnel{Name: "fathom0", ListenPort: 4500, Addresses: addresses, Routes: true, Offload: conf.OffloadAuto, Uplinks: []string{"eth0", "wwan0"}},
			Peers:  []conf.Peer{{Name: "b", AllowedIPs: prefixes("10.77.0.2/32", "fd77::2/128", "192.168.2.0/24")}, {Name: "other", AllowedIPs: prefixes("10.77.0.3/32")}},
		},
		Status: &status.Status{
			Name: "fathom0", Addresses: addresses, Listen: []string{"0.0.0.0:4500", "[::]:4500"},
			Offload: status.Offload{UDPSegment: true, UDPGRO: true, ReceiveBuffer: 4 << 20},
			Peers: []status.Peer{
				{Name: "b", State: status.PeerEstablished, PMTUD: status.PMTUD{State: "search_complete", PLPMTU: 1500}},
				{Name: "other", State: status.PeerEstablished},
			},
		},
		Facts: map[string]*status.FactsReport{"b": {
			Clock: now.Add(40 * time.Millisecond), Asked: now, Answered: now.Add(80 * time.Millisecond), SeenAt: netip.MustParseAddrPort("192.0.2.1:4500"),
			PLPMTU: 1496, Settled: true, Addresses: prefixes("10.77.0.2/24", "fd77::2/64"), AllowedIPs: prefixes("10.77.0.1/32", "fd77::1/128", "192.168.1.0/24"),
		}},
		Host: Host{
			WantedBuffer: 4 << 20, ReceiveBuffer: 4 << 20, Forwards4: true, Forwards6: true,
			Interfaces: []Interface{
				{Name: "lo", Addresses: prefixes("127.0.0.1/8", "::1/128")}, {Name: "fathom0", Addresses: addresses},
				{Name: "eth0", Addresses: prefixes("192.0.2.1/24", "fe80::1/64")}, {Name: "wwan0", Addresses: prefixes("198.51.100.1/24")},
				{Name: "eth1", Addresses: prefixes("192.168.1.1/24")},
			},
			Ways:    []Way{{Peer: "b", To: netip.MustParseAddrPort("203.0.113.2:4500"), Interface: "eth0", From: netip.MustParseAddr("192.0.2.1")}},
			Names:   []Name{{Peer: "b", Host: "b.example.org"}},
			Knocks:  []Knock{{Peer: "b", To: netip.MustParseAddrPort("203.0.113.2:4500")}},
			Returns: []Return{{"b", "eth0", "eth0"}, {"b", "wwan0", "eth0"}},
			Routes:  []Route{{"b", netip.MustParsePrefix("10.77.0.2/32"), "fathom0"}, {"b", netip.MustParsePrefix("192.168.2.0/24"), "fathom0"}},
			Policies: []Policy{
				{Out: true, From: netip.MustParsePrefix("10.0.0.0/8"), To: netip.MustParsePrefix("172.16.0.0/12")},
				{Out: true, From: netip.MustParsePrefix("10.77.0.0/24"), To: netip.MustParsePrefix("10.77.0.0/24"), Protocol: 6},
				{Out: true, From: netip.MustParsePrefix("192.0.2.1/32"), To: netip.MustParsePrefix("203.0.113.2/32"), Protocol: udp, ToPort: 500},
			},
			Chains: []Chain{{Where: "chain input of table inet filter", DropsPort: true}}, // the peer is up: what it sends is an answer
		},
	}
}

// down is the state of the first peer while it cannot be reached for a reason.
func down(c *Case, reason status.Reason) *status.Peer {
	p := &c.Status.Peers[0]
	p.State, p.Attempt = status.PeerConnecting, &status.Attempt{Endpoint: "203.0.113.2:4500", Number: 3, Reason: reason, Detail: "in words"}
	c.Facts, c.Host.Chains = nil, nil
	return p
}

// stopped: the tunnel does not run.
func stopped(c *Case) { c.Status, c.Facts, c.Host.Chains = nil, nil, nil }

func TestJudge(t *testing.T) {
	type codes = []status.FindingCode
	for _, test := range []struct {
		name   string
		change func(c *Case)
		want   codes
	}{
		{"all is well", func(*Case) {}, nil},
		{"the tunnel does not run, and all is well", stopped, nil},
		{"no TUN device", func(c *Case) { c.Host.NoTUN = "/dev/net/tun: no such file" }, codes{status.FindingNoTUN}},
		{"no capability", func(c *Case) { stopped(c); c.Host.NoCapability = true }, codes{status.FindingNoCapability}},
		{"the tunnel has the capability that the user lacks", func(c *Case) { c.Host.NoCapability = true }, nil},
		{"no offload", func(c *Case) { c.Status.Offload.UDPSegment, c.Status.Offload.UDPGRO = false, false }, codes{status.FindingNoOffload}},
		{"no offload, before the start", func(c *Case) { stopped(c); c.Host.NoOffload = true }, codes{status.FindingNoOffload}},
		{"no offload, as configured", func(c *Case) {
			c.Status.Offload.UDPSegment, c.Status.Offload.UDPGRO = false, false
			c.Config.Tunnel.Offload = conf.OffloadOff
		}, nil},
		{"small buffer", func(c *Case) { c.Status.Offload.ReceiveBuffer = 212992 }, codes{status.FindingSmallBuffer}},
		{"small buffer, before the start", func(c *Case) { stopped(c); c.Host.ReceiveBuffer = 212992 }, codes{status.FindingSmallBuffer}},
		{"port in use", func(c *Case) { stopped(c); c.Host.PortHolder = "charon, process 7, has it" }, codes{status.FindingPortInUse}},

		{"a tunnel that does not answer has the port", func(c *Case) {
			stopped(c)
			c.Host.PortHolder, c.Host.NoCapability, c.Silent = "fathom has it", true, true
		}, nil},

		{"a policy takes the tunnel's packets", func(c *Case) {
			c.Host.Policies = []Policy{{Out: true, From: netip.MustParsePrefix("192.0.2.0/24"), To: netip.MustParsePrefix("203.0.113.0/24")}}
		}, codes{status.FindingXfrmPolicy}},
		{"a policy takes what is sent to the port", func(c *Case) {
			c.Host.Policies = []Policy{{From: netip.MustParsePrefix("203.0.113.2/32"), To: netip.MustParsePrefix("192.0.2.1/32"), Protocol: udp, ToPort: 4500}}
		}, codes{status.FindingXfrmPolicy}},
		{"a policy takes what belongs into the tunnel", func(c *Case) {
			c.Host.Policies = []Policy{{Out: true, From: netip.MustParsePrefix("192.168.1.0/24"), To: netip.MustParsePrefix("192.168.2.0/24")}}
		}, codes{status.FindingXfrmPolicy}},
		{"a policy drops what comes by the tunnel", func(c *Case) {
			c.Host.Policies = []Policy{{From: netip.MustParsePrefix("10.77.0.2/32"), To: netip.MustParsePrefix("10.77.0.1/32")}}
		}, codes{status.FindingXfrmPolicy}},
		{"an MSS rule", func(c *Case) { c.Host.Chains = []Chain{{Where: "chain forward of table ip mangle", SetsMSS: true}} }, codes{status.FindingMSSRule}},

		{"the name does not resolve", func(c *Case) {
			down(c, status.ReasonNoName)
			c.Host.Names[0].Problem = "no such host"
		}, codes{status.FindingNoName}},
		{"the name does not resolve for the tunnel alone", func(c *Case) { down(c, status.ReasonNoName) }, codes{status.FindingNoName}},
		{"no route", func(c *Case) {
			p := down(c, status.ReasonNoWay)
			p.State, p.Problem = status.PeerNoRoute, "route to 203.0.113.2: network is unreachable"
		}, codes{status.FindingNoRoute}},
		{"no route, before there is a place", func(c *Case) { down(c, status.ReasonNoWay) }, codes{status.FindingNoRoute}},
		{"no route, before the start", func(c *Case) {
			stopped(c)
			c.Host.Ways = []Way{{Peer: "b", To: netip.MustParseAddrPort("203.0.113.2:4500"), Problem: "network is unreachable"}}
		}, codes{status.FindingNoRoute}},
		{"a loop", func(c *Case) {
			p := down(c, status.ReasonNoWay)
			p.State, p.Problem = status.PeerNoRoute, "it leads into the tunnel"
			c.Host.Ways[0].Interface = "fathom0"
		}, codes{status.FindingLoop}},
		{"a route into the tunnel that its packets do not take", func(c *Case) { c.Host.Ways[0].Interface = "fathom0" }, nil},
		{"rp_filter", func(c *Case) { c.Host.Interfaces[3].RPFilter = 1 }, codes{status.FindingRPFilter}},
		{"loose rp_filter", func(c *Case) { c.Host.Interfaces[3].RPFilter = 2 }, nil},
		{"strict rp_filter where the answer leaves as well", func(c *Case) { c.Host.Interfaces[2].RPFilter = 1 }, nil},
		{"a closed port", func(c *Case) {
			down(c, status.ReasonNoAnswer)
			c.Host.Knocks[0].Result, c.Host.Knocks[0].By = Closed, netip.MustParseAddr("203.0.113.2")
		}, codes{status.FindingPortClosed}},
		{"refused on the way", func(c *Case) {
			down(c, status.ReasonNoAnswer)
			c.Host.Knocks[0].Result = Refused
		}, codes{status.FindingRefused}},
		{"refused by this host", func(c *Case) {
			down(c, status.ReasonNoAnswer)
			c.Host.Knocks[0].Result = NotSent
		}, codes{status.FindingFirewallOut}},
		{"a knock at a peer that came up meanwhile", func(c *Case) { c.Host.Knocks[0].Result = Closed }, nil},
		{"silence", func(c *Case) { down(c, status.ReasonNoAnswer) }, codes{status.FindingNoAnswer}},
		{"silence, and a firewall", func(c *Case) {
			down(c, status.ReasonNoAnswer)
			c.Host.Chains = []Chain{{Where: "chain input of table inet filter", DropsPort: true}}
		}, codes{status.FindingFirewallIn, status.FindingNoAnswer}},
		{"a firewall of IPv6, which no peer is reached by", func(c *Case) {
			down(c, status.ReasonNoAnswer)
			c.Host.Chains = []Chain{{Where: "chain input of table ip6 filter", Family: IPv6, DropsPort: true}}
		}, codes{status.FindingNoAnswer}},
		{"a firewall of IPv6, and a peer that may be anywhere", func(c *Case) {
			down(c, status.ReasonWaiting)
			c.Host.Ways = nil
			c.Host.Chains = []Chain{{Where: "chain input of table ip6 filter", Family: IPv6, DropsPort: true}}
		}, codes{status.FindingFirewallIn, status.FindingWaiting}},
		{"preshared keys", func(c *Case) { down(c, status.ReasonPresharedKey) }, codes{status.FindingPresharedKey}},
		{"ciphers", func(c *Case) { down(c, status.ReasonNoCipher) }, codes{status.FindingNoCipher}},
		{"unused", func(c *Case) { down(c, status.ReasonUnused) }, codes{status.FindingUnused}},
		{"it has to call", func(c *Case) { down(c, status.ReasonWaiting) }, codes{status.FindingWaiting}},
		{"closed", func(c *Case) { down(c, status.ReasonClosed) }, codes{status.FindingClosed}},
		{"a stranger", func(c *Case) {
			down(c, status.ReasonWaiting)
			c.Status.Stranger = &status.Stranger{PublicKey: "key", From: "203.0.113.9:4500"}
		}, codes{status.FindingWaiting, status.FindingStranger}},
		{"a stranger while all are up", func(c *Case) { c.Status.Stranger = new(status.Stranger) }, nil},
		{"a dead mapping", func(c *Case) { down(c, status.ReasonNoAnswer).Advice = "choose another port" }, codes{status.FindingDeadMapping}},
		{"a peer that is not asked about", func(c *Case) { down(c, status.ReasonNoAnswer); c.Peer = "other" }, nil},

		{"a NAT", func(c *Case) { c.Facts["b"].SeenAt = netip.MustParseAddrPort("203.0.113.1:4500") }, codes{status.FindingNoKeepalive}},
		{"a NAT that changes the port", func(c *Case) { c.Facts["b"].SeenAt = netip.MustParseAddrPort("192.0.2.1:1025") }, codes{status.FindingNoKeepalive}},
		{"a NAT, and keepalives", func(c *Case) {
			c.Facts["b"].SeenAt = netip.MustParseAddrPort("203.0.113.1:4500")
			c.Config.Peers[0].Keepalive = 20 * time.Second
		}, nil},
		{"an address collides", func(c *Case) { c.Host.Interfaces[4].Addresses = prefixes("10.77.0.200/25") }, codes{status.FindingAddressCollides}},
		{"an address is in a wider network", func(c *Case) { c.Host.Interfaces[4].Addresses = prefixes("10.1.0.1/8") }, codes{status.FindingAddressCollides, status.FindingNetworkCollides, status.FindingNetworkCollides}},
		{"a network collides", func(c *Case) { c.Host.Interfaces[4].Addresses = prefixes("192.168.2.7/24") }, codes{status.FindingNetworkCollides}},
		{"a network in a wider prefix", func(c *Case) { c.Host.Interfaces[4].Addresses = prefixes("192.168.2.7/28") }, nil},
		{"a default route", func(c *Case) {
			c.Config.Peers[0].AllowedIPs = append(c.Config.Peers[0].AllowedIPs, prefixes("0.0.0.0/0")...)
		}, nil},
		{"one address at both ends", func(c *Case) { c.Facts["b"].Addresses[0] = netip.MustParsePrefix("10.77.0.1/24") }, codes{status.FindingSameAddress}},
		{"the peer does not accept an address", func(c *Case) { c.Facts["b"].AllowedIPs = prefixes("10.77.0.1/32") }, codes{status.FindingAllowedIPs}},
		{"the peer tells a part of what it accepts", func(c *Case) {
			c.Facts["b"].AllowedIPs, c.Facts["b"].Truncated = prefixes("10.77.0.1/32"), true
		}, nil},
		{"an address of the peer is not accepted", func(c *Case) { c.Config.Peers[0].AllowedIPs = prefixes("10.77.0.2/32") }, codes{status.FindingAllowedIPs}},
		{"forwarding is off", func(c *Case) { c.Host.Forwards4 = false }, codes{status.FindingNotForwarding}},
		{"forwarding is off, of a family without networks", func(c *Case) { c.Host.Forwards6 = false }, nil},
		{"forwarding is off, of a host", func(c *Case) {
			c.Host.Forwards4 = false
			c.Facts["b"].AllowedIPs = prefixes("10.77.0.0/24", "fd77::1/128", "192.168.1.1/32")
		}, nil},
		{"forwarding is off, for everything", func(c *Case) {
			c.Host.Forwards4 = false
			c.Facts["b"].AllowedIPs = prefixes("0.0.0.0/0", "fd77::1/128")
		}, codes{status.FindingNotForwarding}},
		{"a route beside the tunnel", func(c *Case) { c.Host.Routes[1].Interface = "eth1" }, codes{status.FindingNotRouted}},
		{"no route into the tunnel", func(c *Case) { c.Host.Routes[1].Interface = "" }, codes{status.FindingNotRouted}},
		{"routes in a table of the administrator's", func(c *Case) { c.Host.Routes[1].Interface = "eth1"; c.Config.Tunnel.Table = 7 }, nil},

		{"DF is cleared", func(c *Case) { c.Status.Peers[0].PMTUD.ClearsDF = true }, codes{status.FindingClearsDF}},
		{"DF is cleared, both ways", func(c *Case) {
			c.Status.Peers[0].PMTUD.ClearsDF, c.Facts["b"].ClearsDF = true, true
		}, codes{status.FindingClearsDF, status.FindingClearsDF}},
		{"narrow there", func(c *Case) { c.Status.Peers[0].PMTUD.PLPMTU = 1400 }, codes{status.FindingMTUDiffers}},
		{"narrow back", func(c *Case) { c.Facts["b"].PLPMTU = 1400 }, codes{status.FindingMTUDiffers}},
		{"narrow back, while it searches", func(c *Case) { c.Facts["b"].PLPMTU, c.Facts["b"].Settled = 1400, false }, nil},
		{"a clock ahead", func(c *Case) { c.Facts["b"].Clock = c.Facts["b"].Asked.Add(time.Hour) }, codes{status.FindingClock}},
		{"a clock behind", func(c *Case) { c.Facts["b"].Clock = c.Facts["b"].Asked.Add(-2 * time.Minute) }, codes{status.FindingClock}},
		{"a clock that a slow path explains", func(c *Case) {
			f := c.Facts["b"]
			f.Answered, f.Clock = f.Asked.Add(5*time.Second), f.Asked.Add(62*time.Second)
		}, nil},
	} {
		c := healthy()
		test.change(c)
		var got codes
		for _, f := range Judge(c) {
			got = append(got, f.Code)
			if f.What == "" || f.Remedy == "" {
				t.Errorf("%s: without words: %+v", test.name, f)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: found %v, want %v", test.name, got, test.want)
		}
	}
}
