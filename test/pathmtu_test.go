package test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/tunnel"
)

// settleWithin is how long the discovery may take to be exact after a change.
// Growth is sought after 5 s at first.
const settleWithin = 15 * time.Second

// transferring keeps a bulk transfer going in the background, and returns a
// function that ends it and checks that it was alive to the end.
func transferring(t *testing.T, from, to *netlab.Host, address string) (stop func()) {
	t.Helper()
	client, server := connect(t, from, to, address)
	quit, done := make(chan struct{}), make(chan error, 1)
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			select {
			case <-quit:
				client.CloseWrite()
				done <- nil
				return
			default:
			}
			if _, err := client.Write(buffer); err != nil {
				done <- err
				return
			}
		}
	}()
	received := make(chan int64, 1)
	go func() {
		var n int64
		buffer := make([]byte, 256<<10)
		for {
			k, err := server.Read(buffer)
			n += int64(k)
			if err != nil {
				received <- n
				return
			}
		}
	}()
	return func() {
		t.Helper()
		close(quit)
		select {
		case err := <-done:
			check(t, err)
		case <-time.After(within):
			t.Fatal("the transfer has stalled")
		}
		select {
		case n := <-received:
			t.Logf("%d MiB were transferred", n>>20)
		case <-time.After(within):
			t.Fatal("the transfer has no end")
		}
	}
}

// exact waits until the discovery has ended at the size, and returns how long
// that took. Below BASE_PLPMTU it ends in state Error (RFC 8899 section 5.2).
func exact(t *testing.T, g *gateway.Gateway, plpmtu int) time.Duration {
	t.Helper()
	began := time.Now()
	for time.Since(began) < settleWithin {
		if p := status(t, g).Peers[0].PMTUD; p.PLPMTU == plpmtu && (p.State == "search_complete" || p.State == "error" && plpmtu < 1228) {
			return time.Since(began)
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s: the discovery does not end at %d: %+v", g.Name, plpmtu, status(t, g).Peers[0].PMTUD)
	return 0
}

// TestPathMTUChangesInMidTransfer lets the path between two routers shrink and
// grow while TCP flows both ways, with ICMP and without.
func TestPathMTUChangesInMidTransfer(t *testing.T) {
	for _, test := range []struct {
		name   string
		family outer
		cut    bool // ICMP
		sizes  []int
	}{
		{"IPv4, ICMP comes through", overIPv4, false, []int{1400, 1280, 1000, 1500}},
		{"IPv4, ICMP is cut", overIPv4, true, []int{1400, 1280, 1000, 576, 1500}},
		{"IPv6, ICMP comes through", overIPv6, false, []int{1400, 1280, 1500}},
		{"IPv6, ICMP is cut", overIPv6, true, []int{1400, 1280, 1500}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLongPath(t, test.family, "")
			up(t, l.a, l.b)
			exact(t, l.a, 1500)
			exact(t, l.b, 1500)
			for _, r := range []*netlab.Host{l.R, l.S} {
				r.CutPTB(test.cut)
			}
			forth := transferring(t, l.A, l.B, innerB4)
			back := transferring(t, l.B, l.A, innerA6)
			for _, mtu := range test.sizes {
				l.middle.SetMTU(mtu)
				if test.family == overIPv6 {
					l.routeIPv6(t)
				}
				t.Logf("%d: a is exact after %v, b %v later", mtu, exact(t, l.a, mtu).Round(time.Millisecond), exact(t, l.b, mtu).Round(time.Millisecond))
			}
			forth()
			back()
		})
	}
}

// longPath has two routers, so that the link between them is neither end's:
//
//	a ── r ── s ── b
type longPath struct {
	A, R, S, B          *netlab.Host
	left, middle, right *netlab.Link
	a, b                *gateway.Gateway
}

func newLongPath(t testing.TB, family outer, extra string) *longPath {
	t.Helper()
	lab := labtest.New(t)
	l := &longPath{A: lab.Host("a"), R: lab.Host("r"), S: lab.Host("s"), B: lab.Host("b")}
	l.left = lab.Connect(l.A, l.R, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.2/24", "fd01::2/64"), AddrB: netlab.Prefixes("10.1.0.1/24", "fd01::1/64")})
	l.middle = lab.Connect(l.R, l.S, netlab.LinkConfig{AddrA: netlab.Prefixes("10.2.0.1/24", "fd02::1/64"), AddrB: netlab.Prefixes("10.2.0.2/24", "fd02::2/64")})
	l.right = lab.Connect(l.S, l.B, netlab.LinkConfig{AddrA: netlab.Prefixes("10.3.0.1/24", "fd03::1/64"), AddrB: netlab.Prefixes("10.3.0.2/24", "fd03::2/64")})
	l.A.DefaultVia(l.left.B.Addrs()...)
	l.B.DefaultVia(l.right.A.Addrs()...)
	l.R.Forward()
	l.S.Forward()
	l.R.AddRoute(netlab.Prefixes("10.3.0.0/24")[0], l.middle.B.Addr4())
	l.S.AddRoute(netlab.Prefixes("10.1.0.0/24")[0], l.middle.A.Addr4())
	l.routeIPv6(t)
	l.a = newGateway(t, l.A, "10.77.0.1/24", "fd77::1/64")
	l.b = newGateway(t, l.B, "10.77.0.2/24", "fd77::2/64")
	l.configure(t, family, extra, "")
	return l
}

// routeIPv6 lays the routes that the kernel takes away with a link's IPv6.
func (l *longPath) routeIPv6(t testing.TB) {
	t.Helper()
	l.R.AddRoute(netlab.Prefixes("fd03::/64")[0], l.middle.B.Addr6())
	l.S.AddRoute(netlab.Prefixes("fd01::/64")[0], l.middle.A.Addr6())
}

// configure writes both configurations: extra lines of [tunnel] and of
// [[peer]].
func (l *longPath) configure(t testing.TB, family outer, extra, peerExtra string) {
	t.Helper()
	addr := func(i *netlab.Interface) string {
		a := i.Addr4()
		if family == overIPv6 {
			a = i.Addr6()
		}
		return net.JoinHostPort(a.String(), fmt.Sprint(gateway.Port))
	}
	check(t, l.a.Configure(extra, gateway.Peer{Gateway: l.b, Endpoint: addr(l.right.B), Extra: peerExtra}))
	check(t, l.b.Configure(extra, gateway.Peer{Gateway: l.a, Endpoint: addr(l.left.A), Extra: peerExtra}))
}

// TestAsymmetricPath finds each direction's own size.
func TestAsymmetricPath(t *testing.T) {
	l := newLongPath(t, overIPv4, "")
	l.R.DropLonger(1320, l.middle.A) // towards b
	l.S.DropLonger(1440, l.middle.B) // towards a
	up(t, l.a, l.b)
	exact(t, l.a, 1320)
	exact(t, l.b, 1440)
	bulk(t, l.A, l.B, innerB4, 8<<20)
	bulk(t, l.B, l.A, innerA4, 8<<20)
}

// TestTheOwnInterfaceShrinks changes the egress interface's own MTU.
func TestTheOwnInterfaceShrinks(t *testing.T) {
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	stop := transferring(t, l.A, l.B, innerB4)
	for _, mtu := range []int{1300, 900, 1500} {
		l.left.A.SetMTU(mtu)
		t.Logf("%d: exact after %v", mtu, exact(t, l.a, mtu).Round(time.Millisecond))
		if got := status(t, l.a).Peers[0].PMTUD.EgressMTU; got != mtu {
			t.Errorf("egress MTU %d, want %d", got, mtu)
		}
	}
	stop()
}

// TestJumboPath finds more than an Ethernet carries.
func TestJumboPath(t *testing.T) {
	l := newLongPath(t, overIPv4, "")
	for _, link := range []*netlab.Link{l.left, l.middle, l.right} {
		link.SetMTU(9000)
	}
	up(t, l.a, l.b)
	exact(t, l.a, 9000)
	bulk(t, l.A, l.B, innerB4, 16<<20)
	l.middle.SetMTU(4000)
	t.Logf("4000: exact after %v", exact(t, l.a, 4000).Round(time.Millisecond))
	bulk(t, l.A, l.B, innerB4, 16<<20)
}

// TestSomethingClearsDF has a router that clears DF and fragments: a probe that
// arrives in fragments does not count.
func TestSomethingClearsDF(t *testing.T) {
	l := newLongPath(t, overIPv4, "")
	l.R.ClearDF(true)
	l.S.ClearDF(true)
	l.middle.SetMTU(1300)
	up(t, l.a, l.b)
	exact(t, l.a, 1300)
	exact(t, l.b, 1300)
	if s := status(t, l.a).Peers[0]; !s.PMTUD.ClearsDF {
		t.Errorf("status does not say that something clears DF: %+v", s.PMTUD)
	}
	bulk(t, l.A, l.B, innerB4, 8<<20)
}

// TestLossIsNoSmallerPath loses 5 % of everything: the exact size is found, and
// kept.
func TestLossIsNoSmallerPath(t *testing.T) {
	l := newUserPair(t, "", 10*time.Millisecond)
	l.link.Update(func(c *conditions) { c.MTU = 1400 })
	up(t, l.a, l.b)
	exact(t, l.a, 1400)
	l.link.Update(func(c *conditions) { c.Loss = 0.05 })
	stop := transferring(t, l.A, l.B, innerB4)
	low := 0
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if status(t, l.a).Peers[0].PMTUD.PLPMTU != 1400 {
			low++
		}
	}
	stop()
	l.link.Update(func(c *conditions) { c.Loss = 0 })
	exact(t, l.a, 1400)
	t.Logf("below the exact size in %d of 250 looks", low)
	if low > 25 {
		t.Errorf("below the exact size in %d of 250 looks", low)
	}
}

// TestConfiguredBounds keeps the discovery within what the configuration says,
// or switches it off.
func TestConfiguredBounds(t *testing.T) {
	for _, test := range []struct {
		name, extra   string
		path          int
		want          int
		state, source string
	}{
		{"max_plpmtu", "max_plpmtu = 1400", 1500, 1400, "search_complete", "discovery"},
		{"sequential", `probing = "sequential"`, 1500, 1500, "search_complete", "discovery"},
		{"off", `probing = "off"`, 1400, 1500, "disabled", "egress"},
		{"a fixed plpmtu", "plpmtu = 1300", 1500, 1300, "disabled", "configuration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLongPath(t, overIPv4, "")
			l.configure(t, overIPv4, "", test.extra)
			l.R.DropLonger(test.path)
			up(t, l.a, l.b)
			await(t, l.a, func(s *tunnel.Status) bool { return s.Peers[0].PMTUD.PLPMTU == test.want })
			time.Sleep(300 * time.Millisecond)
			if p := status(t, l.a).Peers[0].PMTUD; p.PLPMTU != test.want || p.State != test.state || p.Source != test.source {
				t.Errorf("%+v", p)
			}
		})
	}
}
