//go:build linux

package netlab

// Routed is the standard topology of the package documentation: host A and
// host B with router R between them, IPv4 and IPv6.
type Routed struct {
	A, R, B     *Host
	Left, Right *Link // Left.A is A's end, Left.B and Right.A are R's, Right.B is B's
}

// Routed builds the standard topology with hosts a, r and b.
func (l *Lab) Routed() *Routed { return l.RoutedOver(LinkConfig{}) }

// RoutedOver is Routed with links of the given kind; addresses in it are
// replaced.
func (l *Lab) RoutedOver(link LinkConfig) *Routed {
	t := &Routed{A: l.Host("a"), R: l.Host("r"), B: l.Host("b")}
	link.AddrA, link.AddrB = Prefixes("10.1.0.2/24", "fd01::2/64"), Prefixes("10.1.0.1/24", "fd01::1/64")
	t.Left = l.Connect(t.A, t.R, link)
	link.AddrA, link.AddrB = Prefixes("10.2.0.1/24", "fd02::1/64"), Prefixes("10.2.0.2/24", "fd02::2/64")
	t.Right = l.Connect(t.R, t.B, link)
	t.R.Forward()
	t.A.DefaultVia(t.Left.B.Addrs()...)
	t.B.DefaultVia(t.Right.A.Addrs()...)
	return t
}
