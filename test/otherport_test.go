//go:build linux

package test

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/gateway"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// natPair is a pair whose router translates what a sends. b waits to be called.
type natPair struct{ *pair }

var natWas, natIs = netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("198.51.100.10")

func newNATPair(t *testing.T, listen string) natPair {
	t.Helper()
	p := newPair(t, overIPv4, "")
	p.R.Interface("lo").AddAddress(netip.PrefixFrom(natWas, 32), netip.PrefixFrom(natIs, 32))
	p.R.Translate(p.Right.A, natWas)
	p.B.Sysctl("net.ipv4.conf.eth0.rp_filter", "1")
	p.a.Listen = listen
	check(t, p.a.Configure("", gateway.Peer{Gateway: p.b, Endpoint: p.endpoint(p.Right.B, overIPv4)}))
	check(t, p.b.Configure("", gateway.Peer{Gateway: p.a}))
	up(t, p.b, p.a)
	await(t, p.b, func(s *status.Status) bool { return s.Up() && strings.HasPrefix(s.Peers[0].Endpoint, natWas.String()) })
	return natPair{p}
}

// redial gives the router another address, which new connections get. Those that it
// knows keep the old one, which leads nowhere any more, in both directions.
func (p natPair) redial(t *testing.T) {
	t.Helper()
	p.R.Translate(p.Right.A, natIs)
	check(t, p.B.Do(func() error {
		dst := &net.IPNet{IP: natWas.AsSlice(), Mask: net.CIDRMask(32, 32)}
		return netlink.RouteAdd(&netlink.Route{Dst: dst, Type: unix.RTN_BLACKHOLE})
	}))
}

// TestADeadMappingIsLeftForAnotherPort: the router keeps a mapping that leads nowhere.
// From another port of a's there is a new one, and b follows.
func TestADeadMappingIsLeftForAnotherPort(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel() // it waits for most of the time
	p := newNATPair(t, ":0")
	before := statusOf(t, p.a)
	p.redial(t)
	await(t, p.a, func(s *status.Status) bool { return !s.Up() })
	// The status names the sockets before it asks for the peers' state.
	a := await(t, p.a, func(s *status.Status) bool { return gateway.Established(s) && s.Listen[0] != before.Listen[0] })
	port := netip.MustParseAddrPort(a.Listen[0]).Port()
	await(t, p.b, func(s *status.Status) bool {
		return s.Up() && s.Peers[0].Endpoint == netip.AddrPortFrom(natIs, port).String()
	})
	if a.Peers[0].Advice != "" {
		t.Errorf("advice %q", a.Peers[0].Advice)
	}
	pinger(t, p.a.Host, innerB4)
	if !strings.Contains(p.a.Log(), "another UDP port is answered") {
		t.Error("the change is not logged")
	}
}

// TestAPortThatIsFixedIsAskedAbout: the configuration names the port, and so the status
// and one warning say that another may help. With another it is up at once.
func TestAPortThatIsFixedIsAskedAbout(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel() // it waits for most of the time
	p := newNATPair(t, "")
	found(t, p.a, status.FindingNoKeepalive)
	p.redial(t)
	s := await(t, p.a, func(s *status.Status) bool { return s.Peers[0].Advice != "" })
	if s.Up() || !strings.Contains(s.Peers[0].Advice, "tunnel.listen") {
		t.Errorf("%+v", s.Peers[0])
	}
	out, _ := p.a.Command("status", "-c", p.a.Config()).Output() // which tells by its status that a peer is down
	if !strings.Contains(string(out), s.Peers[0].Advice) {
		t.Errorf("the status:\n%s", out)
	}
	if n := strings.Count(p.a.Log(), "another UDP port may help"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	found(t, p.a, status.FindingDeadMapping)
	check(t, p.a.Stop())
	p.a.Listen = ":4501"
	check(t, p.a.Configure("", gateway.Peer{Gateway: p.b, Endpoint: p.endpoint(p.Right.B, overIPv4)}))
	check(t, p.a.Start())
	await(t, p.a, gateway.Established)
}
