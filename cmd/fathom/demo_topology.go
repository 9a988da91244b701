//go:build linux

package main

import (
	"fmt"
	"net/netip"

	"fathom/test/netlab"
)

// labPath is the network of the demo: two hosts with two routers between them.
type labPath struct {
	a, r1, r2, b        *netlab.Host
	left, middle, right *netlab.Link // A is the left end of each
}

// buildPath makes the hosts and routers, the links and the routes.
func buildPath(lab *netlab.Lab) *labPath {
	p := &labPath{a: lab.Host("a"), r1: lab.Host("r1"), r2: lab.Host("r2"), b: lab.Host("b")}
	cable := func(from, to *netlab.Host, left, right string) *netlab.Link {
		return lab.Connect(from, to, netlab.LinkConfig{AddrA: netlab.Prefixes(left), AddrB: netlab.Prefixes(right)})
	}
	p.left = cable(p.a, p.r1, "10.1.0.2/24", "10.1.0.1/24")
	p.middle = cable(p.r1, p.r2, "10.2.0.1/24", "10.2.0.2/24")
	p.right = cable(p.r2, p.b, "10.3.0.1/24", "10.3.0.2/24")
	for _, router := range []*netlab.Host{p.r1, p.r2} {
		router.Forward()
	}
	p.a.DefaultVia(p.left.B.Addr4())
	p.r1.DefaultVia(p.middle.B.Addr4())
	p.r2.DefaultVia(p.middle.A.Addr4())
	p.b.DefaultVia(p.right.A.Addr4())
	return p
}

// Inner addresses of the two hosts.
var (
	innerA = netip.MustParsePrefix("10.77.0.1/24")
	innerB = netip.MustParsePrefix("10.77.0.2/24")
)

// picture draws the path with its present addresses and MTUs.
func (p *labPath) picture() string {
	const boxes = `
     host a             router r1              router r2              host b
 +---------+          +-----------+          +-----------+          +---------+
 |    %s |----------| %s %s |----------| %s %s |----------| %s    |
 +---------+ %s +-----------+ %s +-----------+ %s +---------+
`
	const addresses = "   %-16s%-10s%-13s%-10s%-17s%s\n"
	const inside = "  %s =============== tunnel: ESP in UDP ==================== %s\n"
	mtu := func(l *netlab.Link) string { return fmt.Sprintf("mtu %-4d", l.A.MTU()) }
	links := []*netlab.Link{p.left, p.middle, p.right}
	var names, addrs, mtus []any
	for _, l := range links {
		names = append(names, l.A.Name(), l.B.Name())
		addrs = append(addrs, l.A.Addr4(), l.B.Addr4())
		mtus = append(mtus, mtu(l))
	}
	return fmt.Sprintf(boxes[1:], append(names, mtus...)...) +
		fmt.Sprintf(addresses, addrs...) +
		fmt.Sprintf(inside, innerA.Addr(), innerB.Addr())
}
