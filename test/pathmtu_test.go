package test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"fathom/pmtud"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	tunnel "fathom/tunnel/status"
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
				// Without ICMP it takes data to notice: give TCP the time to
				// have some under way again.
				time.Sleep(500 * time.Millisecond)
				l.middle.SetMTU(mtu)
				if test.family == overIPv6 {
					l.routeIPv6(t)
				}
				t.Logf("%d: a is exact after %v, b %v later", mtu, exact(t, l.a, mtu).Round(time.Millisecond), exact(t, l.b, mtu).Round(time.Millisecond))
			}
			forth()
			back()
			for _, g := range []*gateway.Gateway{l.a, l.b} {
				byPTB := slices.ContainsFunc(status(t, g).Peers[0].PMTUD.History, func(c tunnel.PLPMTUChange) bool { return c.Cause == pmtud.CausePTB.String() })
				// The router that shrinks answers a, and where it comes to that
				// first, b.
				if g == l.a && byPTB == test.cut || test.cut && byPTB {
					t.Errorf("%s was lowered by a PTB: %v, though ICMP is cut: %v", g.Name, byPTB, test.cut)
				}
			}
		})
	}
}

// longPath has two routers, so that the link between them is neither end's:
//
//	a ── r ── s ── b
type longPath struct {
	lab                 *netlab.Lab
	A, R, S, B          *netlab.Host
	left, middle, right *netlab.Link
	a, b                *gateway.Gateway
}

func newLongPath(t testing.TB, family outer, extra string) *longPath {
	t.Helper()
	l := newLongPathOver(t, 0)
	l.configure(t, family, extra, "")
	return l
}

// newLongPathOver builds the path, with a link on the right that has the given
// round-trip time.
func newLongPathOver(t testing.TB, rtt time.Duration) *longPath {
	t.Helper()
	lab := labtest.New(t)
	l := &longPath{lab: lab, A: lab.Host("a"), R: lab.Host("r"), S: lab.Host("s"), B: lab.Host("b")}
	l.left = lab.Connect(l.A, l.R, linkConfig(netlab.Prefixes("10.1.0.2/24", "fd01::2/64"), netlab.Prefixes("10.1.0.1/24", "fd01::1/64")))
	l.middle = lab.Connect(l.R, l.S, linkConfig(netlab.Prefixes("10.2.0.1/24", "fd02::1/64"), netlab.Prefixes("10.2.0.2/24", "fd02::2/64")))
	nearB, atB := netlab.Prefixes("10.3.0.1/24", "fd03::1/64"), netlab.Prefixes("10.3.0.2/24", "fd03::2/64")
	if rtt == 0 {
		l.right = lab.Connect(l.S, l.B, linkConfig(nearB, atB))
	} else {
		way := netlab.Conditions{Delay: rtt / 2}
		link := lab.UserLink(l.S, l.B, netlab.UserLinkConfig{AddrA: nearB, AddrB: atB, AtoB: way, BtoA: way})
		l.right = &netlab.Link{A: link.A, B: link.B}
	}
	l.A.DefaultVia(l.left.B.Addrs()...)
	l.B.DefaultVia(l.right.A.Addrs()...)
	l.R.Forward()
	l.S.Forward()
	l.R.AddRoute(netlab.Prefixes("10.3.0.0/24")[0], l.middle.B.Addr4())
	l.S.AddRoute(netlab.Prefixes("10.1.0.0/24")[0], l.middle.A.Addr4())
	l.routeIPv6(t)
	l.a = newGateway(t, l.A, "10.77.0.1/24", "fd77::1/64")
	l.b = newGateway(t, l.B, "10.77.0.2/24", "fd77::2/64")
	return l
}

// routeIPv6 lays the routes that the kernel takes away with a link's IPv6.
func (l *longPath) routeIPv6(t testing.TB) {
	t.Helper()
	l.R.AddRoute(netlab.Prefixes("fd03::/64")[0], l.middle.B.Addr6())
	l.S.AddRoute(netlab.Prefixes("fd01::/64")[0], l.middle.A.Addr6())
}

// narrow makes both routers drop what is longer, in bytes of the IP packet,
// without a word. Superpackets have to be measured by what they are made of,
// which an MTU alone does; below 1280 it costs the link its IPv6.
func (l *longPath) narrow(mtu int) {
	if *links == "offload" {
		l.R.CutPTB(true)
		l.S.CutPTB(true)
		l.middle.SetMTU(mtu)
		return
	}
	l.R.DropLonger(mtu)
	l.S.DropLonger(mtu)
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
	stop := transferring(t, l.A, l.B, innerB4)
	l.middle.SetMTU(4000)
	t.Logf("4000: exact after %v", exact(t, l.a, 4000).Round(time.Millisecond))
	stop()
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
	if low > 125 {
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

// TestBlackHoleAtTwentyMilliseconds measures, at 20 ms RTT and with data
// flowing, how soon after a silent shrink the PLPMTU is one that passes.
func TestBlackHoleAtTwentyMilliseconds(t *testing.T) {
	const (
		rtt           = 20 * time.Millisecond
		median, worst = 150 * time.Millisecond, 250 * time.Millisecond
	)
	runs := 50
	if reduced() {
		runs = 5
	}
	l := newUserPair(t, "", rtt/2)
	l.link.Update(func(c *conditions) { c.Rate = 100_000_000 })
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	client, server := connect(t, l.A, l.B, innerB4)
	go io.Copy(io.Discard, server)
	go io.Copy(paced{client, 2 << 20}, zeros{})
	var took []time.Duration
	for run := range runs {
		mtu := []int{1400, 1300, 1000}[run%3]
		time.Sleep(200 * time.Millisecond)
		began := time.Now()
		l.link.Update(func(c *conditions) { c.MTU = mtu })
		await(t, l.a, func(s *tunnel.Status) bool { return s.Peers[0].PMTUD.PLPMTU <= mtu })
		took = append(took, time.Since(began))
		exact(t, l.a, mtu)
		l.link.Update(func(c *conditions) { c.MTU = 1500 })
		// A change of the own interface makes the search begin at once.
		l.link.A.SetMTU(1300)
		await(t, l.a, func(s *tunnel.Status) bool { return s.Peers[0].PMTUD.EgressMTU == 1300 })
		l.link.A.SetMTU(1500)
		exact(t, l.a, 1500)
	}
	slices.Sort(took)
	t.Logf("black hole at %v RTT, %d runs: PLPMTU passes after %v in the median (meant to be at most %v), %v at worst (%v)", rtt, runs,
		took[runs/2].Round(time.Millisecond), median, took[runs-1].Round(time.Millisecond), worst)
	// Some room for the noise of the machine.
	if took[runs/2] > 2*median && !race || took[runs-1] > 10*worst {
		t.Errorf("%v", took)
	}
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// TestForgedPTBs floods a with messages that say that the path is smaller: with
// no valid quote, and with a true SPI but no true sequence number.
func TestForgedPTBs(t *testing.T) {
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	s := status(t, l.a).Peers[0]
	for _, test := range []struct {
		name string
		spi  uint32
		seq  uint32
	}{
		{"a foreign SPI", 0x12345678, 1},
		{"a true SPI, but no true sequence number", s.SendSPI, 1 << 30},
	} {
		t.Run(test.name, func(t *testing.T) {
			wire := labtest.Capture(t, l.left.A)
			before := status(t, l.a).Peers[0]
			const each, rounds = 1000, 10
			check(t, l.R.Do(func() error {
				raw, err := rawSocket()
				if err != nil {
					return err
				}
				defer unix.Close(raw)
				for range rounds {
					began := time.Now()
					for range each {
						m := forgedPTB(l.left.B.Addr4(), l.left.A.Addr4(), l.right.B.Addr4(), 600, test.spi, test.seq)
						if err := unix.Sendto(raw, m, 0, &unix.SockaddrInet4{Addr: l.left.A.Addr4().As4()}); err != nil {
							return err
						}
					}
					time.Sleep(time.Until(began.Add(100 * time.Millisecond)))
				}
				return nil
			}))
			wire.Stop()
			after := status(t, l.a).Peers[0]
			if after.PMTUD.PLPMTU != 1500 || len(after.PMTUD.History) != len(before.PMTUD.History) {
				t.Errorf("the PLPMTU has moved: %+v", after.PMTUD)
			}
			probes := 0
			for _, packet := range wire.Packets() {
				if packet.Sent && len(packet.Data) > 1000 {
					probes++
				}
			}
			t.Logf("%d forged PTBs cost %d probes", each*rounds, probes)
			if probes > 50 {
				t.Errorf("%d forged PTBs cost %d probes", each*rounds, probes)
			}
		})
	}
}

// forgedPTB makes an ICMP message that quotes a packet from a to b.
func forgedPTB(from, a, b netip.Addr, mtu int, spi, seq uint32) []byte {
	quote := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, Flags: layers.IPv4DontFragment, SrcIP: a.AsSlice(), DstIP: b.AsSlice()}
	udp := &layers.UDP{SrcPort: gateway.Port, DstPort: gateway.Port}
	esp := make([]byte, 1400)
	binary.BigEndian.PutUint32(esp, spi)
	binary.BigEndian.PutUint32(esp[4:], seq)
	inner := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	_ = udp.SetNetworkLayerForChecksum(quote)
	_ = gopacket.SerializeLayers(inner, options, quote, udp, gopacket.Payload(esp))
	outer := gopacket.NewSerializeBuffer()
	_ = gopacket.SerializeLayers(outer, options,
		&layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: from.AsSlice(), DstIP: a.AsSlice()},
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 4), Seq: uint16(mtu)},
		gopacket.Payload(inner.Bytes()[:548]))
	return outer.Bytes()
}

// TestSounding has the command measure paths, and print what it saw.
func TestSounding(t *testing.T) {
	l := newUserPair(t, "", 10*time.Millisecond)
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	for _, mtu := range []int{1500, 1492, 1420, 1400, 1399, 1280, 1000, 576} {
		l.link.Update(func(c *conditions) { c.MTU = mtu })
		out, err := l.a.Command("probe", "-c", l.a.Config(), "--json", "b").Output()
		check(t, err)
		var s tunnel.ProbeReport
		check(t, json.Unmarshal(out, &s))
		if want := mtu &^ 3; s.PLPMTU != want || !s.Exact {
			t.Errorf("path of %d: %+v", mtu, s)
		}
		t.Logf("path of %d: %d in use after %.1f round trips, proved after %.1f, with %d probes", mtu, s.PLPMTU, s.ExactMillis/20, s.TookMillis/20, len(s.Probes))
		if !race && s.ExactMillis/20 > 10 { // no noise of the machine explains that
			t.Errorf("path of %d: in use after %.1f round trips", mtu, s.ExactMillis/20)
		}
	}
}
