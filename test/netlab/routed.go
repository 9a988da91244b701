//go:build linux

package netlab

// Routed is the standard topology of the package documentation: host A and
// host B with router R between them, IPv4 and IPv6.
type Routed struct {
	A, R, B     *Host
	Left, Right *Link // Left.A is A's end, Left.B and Right.A are R's, Right.B is B's
}

// Routed builds the standard topology with hosts a, r and b.
func (l *Lab) Routed() *Routed {
	t := &Routed{A: l.Host("a"), R: l.Host("r"), B: l.Host("b")}
	t.Left = l.Connect(t.A, t.R, LinkConfig{
		AddrA: Prefixes("10.1.0.2/24", "fd01::2/64"),
		AddrB: Prefixes("10.1.0.1/24", "fd01::1/64"),
	})
	t.Right = l.Connect(t.R, t.B, LinkConfig{
		AddrA: Prefixes("10.2.0.1/24", "fd02::1/64"),
		AddrB: Prefixes("10.2.0.2/24", "fd02::2/64"),
	})
	t.R.Forward()
	t.A.DefaultVia(t.Left.B.Addrs()...)
	t.B.DefaultVia(t.Right.A.Addrs()...)
	return t
}
