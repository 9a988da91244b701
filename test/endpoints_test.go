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
// comes up by another, the one that answers first. When that is gone, it goes on by the
// last.
func TestAPeerIsCalledAtAllItsEndpoints(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel() // it waits for most of the time
	p := newPair(t, overIPv4, "")
	nowhere := fmt.Sprintf("10.2.0.99:%d", gateway.Port)
	second, third := p.endpoint(p.Right.B, overIPv6), p.endpoint(p.Right.B, overIPv4)
	check(t, p.a.Configure("", gateway.Peer{Gateway: p.b, Endpoint: nowhere, Endpoints: []string{second, third}}))
	check(t, p.b.Configure("", gateway.Peer{Gateway: p.a}))
	check(t, p.b.Start())
	check(t, p.a.Start())
	first := await(t, p.a, gateway.Established).Peers[0].Endpoint
	// The router does not know the way to the one that has answered any more.
	other, gone := third, netip.PrefixFrom(p.Right.A.Addr6(), 64)
	if first != second {
		other, gone = second, netip.PrefixFrom(p.Right.A.Addr4(), 24)
	}
	p.Right.A.RemoveAddress(gone)
	await(t, p.a, func(s *status.Status) bool { return s.Up() && s.Peers[0].Endpoint == other })
	await(t, p.b, gateway.Established)
}
