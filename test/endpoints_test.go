//go:build linux

package test

import (
	"fmt"
	"net/netip"
	"testing"

	"fathom/test/gateway"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestAPeerIsCalledAtAllItsEndpoints: the first of three leads nowhere, and the tunnel
// comes up by the second. When that is gone, it goes on by the third.
func TestAPeerIsCalledAtAllItsEndpoints(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	p := newPair(t, overIPv4, "")
	nowhere := fmt.Sprintf("10.2.0.99:%d", gateway.Port)
	second, third := p.endpoint(p.Right.B, overIPv6), p.endpoint(p.Right.B, overIPv4)
	check(t, p.a.Configure("", gateway.Peer{Gateway: p.b, Endpoint: nowhere, Endpoints: []string{second, third}}))
	check(t, p.b.Configure("", gateway.Peer{Gateway: p.a}))
	at := func(endpoint string) func(*status.Status) bool {
		return func(s *status.Status) bool { return s.Up() && s.Peers[0].Endpoint == endpoint }
	}
	check(t, p.b.Start())
	check(t, p.a.Start())
	await(t, p.a, at(second))
	p.Right.A.RemoveAddress(netip.PrefixFrom(p.Right.A.Addr6(), 64)) // the router knows the way no more
	await(t, p.a, at(third))
	await(t, p.b, gateway.Established)
}
