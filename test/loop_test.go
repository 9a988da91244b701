//go:build linux

package test

import (
	"fmt"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// neighbours are two gateways on one link, whose routes are the administrator's:
// everything from a goes into the tunnel.
func neighbours(t *testing.T) (a, b *gateway.Gateway, link *netlab.Link) {
	lab := labtest.New(t)
	link = lab.Connect(lab.Host("a"), lab.Host("b"), linkConfig(netlab.Prefixes("10.1.0.1/24"), netlab.Prefixes("10.1.0.2/24")))
	a, b = newGateway(t, link.A.Host(), "10.77.0.1/24"), newGateway(t, link.B.Host(), "10.77.0.2/24")
	check(t, a.Configure("routes = false", gateway.Peer{Gateway: b, Endpoint: fmt.Sprintf("%s:%d", link.B.Addr4(), gateway.Port), Routed: []string{"0.0.0.0/0"}}))
	check(t, b.Configure("", gateway.Peer{Gateway: a, Endpoint: fmt.Sprintf("%s:%d", link.A.Addr4(), gateway.Port)}))
	return a, b, link
}

// entered counts the packets that a host has sent into its tunnel.
func entered(h *netlab.Host) uint64 { return h.Interface(gateway.Device).Stats().TxPackets }

// TestTheUplinkGoesAndTheTunnelRemains takes away the address, and with it the
// route, by which the peer is reached, while wider routes lead into the tunnel: the
// tunnel's packets would go around in it for ever. It happens while packets flow,
// and before the start as well.
func TestTheUplinkGoesAndTheTunnelRemains(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	a, b, link := neighbours(t)
	up(t, a, b)
	halves := netlab.Prefixes("0.0.0.0/1", "128.0.0.0/1")
	a.Host.Interface(gateway.Device).AddRoute(halves...)
	pinger(t, a.Host, innerB4)

	load := startFlood(t, a.Host, b.Host, innerB4, 1000, time.Millisecond).reach(100)
	before, sent := entered(a.Host), load.sent.Load()
	link.A.RemoveAddress(netlab.Prefixes("10.1.0.1/24")...)
	s := await(t, a, func(s *status.Status) bool { return s.Peers[0].State == status.PeerNoRoute }).Peers[0]
	if s.Problem == "" {
		t.Error("the status does not say why")
	}
	found(t, a, status.FindingLoop)
	// What a packet loop was about to send is counted a moment later.
	load.reach(load.sent.Load() + 100)
	tx := statusOf(t, a).Peers[0].TxPackets
	load.reach(load.sent.Load() + 200)
	// Of what was under way each may have come back once.
	if n, most := entered(a.Host)-before, 2*uint64(load.sent.Load()-sent+10); n > most {
		t.Errorf("%d packets have entered the tunnel, of %d datagrams", n, load.sent.Load()-sent)
	}
	if n := statusOf(t, a).Peers[0].TxPackets; n != tx {
		t.Errorf("%d packets were sent by a loop", n-tx)
	}
	link.A.AddAddress(netlab.Prefixes("10.1.0.1/24")...)
	await(t, a, gateway.Established)
	load.reach(load.sent.Load() + 100).stop()

	check(t, a.Stop())
	link.A.RemoveAddress(netlab.Prefixes("10.1.0.1/24")...)
	check(t, a.Start())
	statusOf(t, a)
	a.Host.Interface(gateway.Device).AddRoute(halves...)
	await(t, a, func(s *status.Status) bool { return s.Peers[0].State == status.PeerNoRoute })
	link.A.AddAddress(netlab.Prefixes("10.1.0.1/24")...)
	await(t, a, gateway.Established)
	pinger(t, a.Host, innerB4)
}

// TestALoopThatNoLookUpShows has a rule route packets of one DSCP into the tunnel,
// those that the tunnel has given it by the packet inside among them.
func TestALoopThatNoLookUpShows(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	a, b, _ := neighbours(t)
	up(t, a, b)
	run(t, a.Host, "ip", "route", "add", "default", "dev", gateway.Device, "table", "51")
	run(t, a.Host, "ip", "rule", "add", "dsfield", "0x10", "lookup", "51")
	pinger(t, a.Host, innerB4)

	const datagrams = 50
	inside := labtest.Capture(t, a.Host.Interface(gateway.Device))
	var dropped uint64
	for _, n := range []int{datagrams - 1, 1} { // the last follows on all that the others have become
		_ = a.Host.Command(program(t, "ping", "iputils-ping"), "-c", fmt.Sprint(n), "-i", "0.01", "-W", "1", "-Q", "0x10", innerB4).Run()
		want := dropped + uint64(n)
		dropped = await(t, a, func(s *status.Status) bool { return s.Peers[0].Dropped["loop"] >= want }).Peers[0].Dropped["loop"]
	}
	inside.Stop()
	n := 0
	for _, packet := range inside.Packets() {
		if packet.Sent && packet.Data[0]>>4 == 4 { // the host's own IPv6 packets are of no interest
			n++
		}
	}
	if n < datagrams || n > 2*datagrams || dropped > datagrams {
		t.Errorf("%d packets have entered the tunnel, of %d datagrams; dropped %d", n, datagrams, dropped)
	}
	pinger(t, a.Host, innerB4)
}
