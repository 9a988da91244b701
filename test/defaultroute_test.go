//go:build linux

package test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// internet is a pair whose end b is the way to everything: a's default routes lead
// there, and its own uplinks to the router alone.
//
//	a ══ first, second ══ r ── b ── far
type internet struct {
	*netlab.Routed
	a, b   *gateway.Gateway
	second *netlab.Link // of a, beside Left
	far    *netlab.Host
}

const farAway4, farAway6 = "198.51.100.7", "2001:db8::7"

func newInternet(t *testing.T, family outer) *internet {
	t.Helper()
	lab := labtest.New(t)
	n := &internet{Routed: lab.RoutedOver(linkConfig(nil, nil)), far: lab.Host("far")}
	n.second = lab.Connect(n.A, n.R, linkConfig(netlab.Prefixes("10.3.0.2/24", "fd03::2/64"), netlab.Prefixes("10.3.0.1/24", "fd03::1/64")))
	beyond := lab.Connect(n.B, n.far, linkConfig(netlab.Prefixes("198.51.100.1/24", "2001:db8::1/64"), netlab.Prefixes(farAway4+"/24", farAway6+"/64")))
	n.far.DefaultVia(beyond.A.Addrs()...)
	n.B.Forward()
	// A host of today filters by the reverse path, where the kernel can.
	for _, of := range []string{"all", n.Left.A.Name(), n.second.A.Name()} {
		n.A.Sysctl("net.ipv4.conf."+of+".rp_filter", "1")
	}
	n.a, n.b = newGateway(t, n.A, "10.77.0.1/24", "fd77::1/64"), newGateway(t, n.B, "10.77.0.2/24", "fd77::2/64")
	n.configure(t, family, "")
	check(t, n.b.Configure("", gateway.Peer{Gateway: n.a}))
	return n
}

// configure configures a; extra are more lines of its [tunnel].
func (n *internet) configure(t *testing.T, family outer, extra string) {
	t.Helper()
	endpoint := netip.AddrPortFrom(n.Right.B.Addr4(), gateway.Port)
	if family == overIPv6 {
		endpoint = netip.AddrPortFrom(n.Right.B.Addr6(), gateway.Port)
	}
	check(t, n.a.Configure(extra, gateway.Peer{Gateway: n.b, Endpoint: endpoint.String(), Routed: []string{"0.0.0.0/0", "::/0"}}))
}

// routing is what a's routing goes by.
func (n *internet) routing(t *testing.T) string {
	t.Helper()
	return routingOf(t, n.A)
}

// routingOf is what a host's routing goes by, as the programs of iproute2 print it.
func routingOf(t *testing.T, host *netlab.Host) string {
	t.Helper()
	var b strings.Builder
	for _, family := range []string{"-4", "-6"} {
		for _, what := range [][]string{{"rule"}, {"route", "show", "table", "all"}} {
			b.WriteString(run(t, host, "ip", append([]string{family}, what...)...))
		}
	}
	for _, key := range []string{"ipv4.conf.all.src_valid_mark", "ipv4.conf.all.rp_filter", "ipv4.ip_forward", "ipv6.conf.all.forwarding"} {
		fmt.Fprintln(&b, key, host.ReadSysctl("net."+key))
	}
	return b.String()
}

// settledRouting is routing when the kernel has done what it does by itself with new
// addresses.
func (n *internet) settledRouting(t *testing.T) (last string) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(settle) {
		s := n.routing(t)
		if s == last {
			return s
		}
		last = s
	}
	t.Fatalf("the host does not settle:\n%s", last)
	return ""
}

// reaches asks a name server far away, over UDP, and sends to a host there, over
// TCP, both in both families. The router, a neighbour, is reached without the tunnel.
func (n *internet) reaches(t *testing.T, neighbours ...netip.Addr) {
	t.Helper()
	for _, address := range []string{farAway4, farAway6} {
		server, err := n.far.ListenPacket("udp", net.JoinHostPort(address, "53"))
		check(t, err)
		go func() {
			question := make([]byte, 512)
			for {
				n, from, err := server.ReadFrom(question)
				if err != nil {
					return
				}
				server.WriteTo(question[:n], from)
			}
		}()
		client, err := n.A.Dial("udp", server.LocalAddr().String())
		check(t, err)
		ask(t, client)
		client.Close()
		server.Close()
		bulk(t, n.A, n.far, address, 1<<20)
	}
	for _, neighbour := range neighbours {
		pinger(t, n.A, neighbour.String())
	}
}

// ask sends a question until it is answered, as a resolver does.
func ask(t *testing.T, server net.Conn) {
	t.Helper()
	question, answer := []byte("where is it?"), make([]byte, 512)
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		_, err := server.Write(question)
		if err == nil {
			check(t, server.SetReadDeadline(time.Now().Add(settle)))
			var size int
			if size, err = server.Read(answer); err == nil && bytes.Equal(answer[:size], question) {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("no answer from %s", server.RemoteAddr())
}

// clear returns the packets for far away hosts that were seen on an uplink of a.
func clear(c *netlab.Capture) (list []string) {
	for _, p := range c.Packets() {
		b, protocol, to := p.Data, p.Data[9], netip.Addr{}
		if b[0]>>4 == 4 {
			to = netip.AddrFrom4([4]byte(b[16:]))
		} else {
			protocol, to = b[6], netip.AddrFrom16([16]byte(b[24:]))
		}
		if to == netip.MustParseAddr(farAway4) || to == netip.MustParseAddr(farAway6) {
			list = append(list, fmt.Sprintf("protocol %d to %s", protocol, to))
		}
	}
	return list
}

// TestDefaultRoute sends everything through the tunnel: while the peer moves, while
// the uplink changes, and while the rules are removed. No packet for a far host
// leaves in clear text, and after the end all is as before.
func TestDefaultRoute(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel() // it waits for most of the time
	for name, family := range map[string]outer{"over IPv4": overIPv4, "over IPv6": overIPv6} {
		t.Run(name, func(t *testing.T) { defaultRoute(t, newInternet(t, family), family) })
	}
}

func defaultRoute(t *testing.T, n *internet, family outer) {
	before := n.settledRouting(t)
	up(t, n.a, n.b)
	if valid := n.A.ReadSysctl("net.ipv4.conf.all.src_valid_mark"); valid != "1" {
		t.Errorf("src_valid_mark is %s", valid)
	}
	first, second := labtest.Capture(t, n.Left.A), labtest.Capture(t, n.second.A)
	n.reaches(t, n.Left.B.Addrs()...)

	t.Log("the peer moves")
	home, abroad := netlab.Prefixes("10.2.0.2/24", "fd02::2/64"), netlab.Prefixes("10.2.0.3/24", "fd02::3/64")
	n.moves(t, home, abroad)
	n.reaches(t)

	t.Log("the uplink changes")
	ours := netlab.Prefixes("10.1.0.2/24", "fd01::2/64")
	n.Left.A.RemoveAddress(ours...)
	n.Left.A.Down()
	await(t, n.a, func(s *status.Status) bool { return s.Peers[0].State == status.PeerNoRoute })
	n.A.DefaultVia(n.second.B.Addrs()...)
	n.reaches(t, n.second.B.Addrs()...)
	n.Left.A.Up()
	n.Left.A.AddAddress(ours...)
	n.A.DefaultVia(n.Left.B.Addrs()...)
	n.reaches(t)
	n.moves(t, abroad, home)

	t.Log("the rules are removed")
	diverted := n.settledRouting(t)
	for _, address := range []string{farAway4, farAway6} {
		startBeacon(t, n.A, n.far, address)
	}
	handshakes := statusOf(t, n.a).Peers[0].Handshakes
	for _, family := range []string{"-4", "-6"} {
		for line := range strings.Lines(run(t, n.A, "ip", family, "rule")) {
			priority, _, _ := strings.Cut(line, ":")
			if priority != "0" && len(priority) == 5 && priority < "32766" {
				run(t, n.A, "ip", family, "rule", "del", "priority", priority)
				began := time.Now()
				n.await(t, diverted)
				t.Logf("rule %s %s deleted: put right after %d ms", family, priority, time.Since(began).Milliseconds())
			}
		}
	}
	t.Log("another program keeps removing them")
	var took []time.Duration
	for i := range 10 {
		for _, family := range []string{"-4", "-6"} {
			run(t, n.A, "ip", family, "rule", "del", "priority", []string{"32764", "32765"}[i%2])
		}
		began := time.Now()
		n.await(t, diverted)
		took = append(took, time.Since(began))
	}
	// The machine may stand still for once, but not most of the time.
	slices.Sort(took)
	if median := took[len(took)/2]; median > time.Second {
		t.Errorf("put right after %v in the median of %v", median, took)
	}
	n.reaches(t)
	if lost := statusOf(t, n.a).Peers[0].Handshakes - handshakes; lost > 0 {
		t.Errorf("%d new handshakes", lost)
	}

	for _, c := range []*netlab.Capture{first, second} {
		c.Stop()
		if packets := clear(c); len(packets) > 0 {
			t.Errorf("%d packets have left in clear text, such as %s", len(packets), packets[0])
		}
	}
	check(t, n.a.Stop())
	// The kernel lists the routes of interfaces in the order in which they came up.
	if after := n.settledRouting(t); !slices.Equal(sorted(after), sorted(before)) {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}

	t.Log("the tunnel is killed")
	before = n.settledRouting(t)
	check(t, n.a.Start())
	await(t, n.a, gateway.Established)
	n.a.Kill()
	check(t, n.a.Start())
	await(t, n.a, gateway.Established)
	n.reaches(t)
	check(t, n.a.Stop())
	n.await(t, before)

	t.Log("nothing is to leave after the end")
	n.configure(t, family, `on_stop = "block"`)
	for range 2 {
		check(t, n.a.Start())
		await(t, n.a, gateway.Established)
		check(t, n.a.Stop())
		for _, address := range []string{farAway4, farAway6} {
			if !refusedOn(t, n.A, address) {
				t.Errorf("%s can be sent to", address)
			}
		}
		for _, neighbour := range n.Left.B.Addrs() {
			pinger(t, n.A, neighbour.String())
		}
	}
	n.configure(t, family, "")
	check(t, n.a.Start())
	await(t, n.a, gateway.Established)
	n.reaches(t)
	check(t, n.a.Stop())
	n.await(t, before)
}

// moves gives b other addresses, and waits until a has followed.
func (n *internet) moves(t *testing.T, from, to []netip.Prefix) {
	t.Helper()
	n.Right.B.RemoveAddress(from...)
	n.Right.B.AddAddress(to...)
	n.B.DefaultVia(n.Right.A.Addrs()...)
	// Its next packets tell a, which follows when the new place has answered: within a
	// second, since a place that has never answered is challenged once a second.
	pinger(t, n.B, innerA4, "-c", "60")
	await(t, n.a, func(s *status.Status) bool {
		at, err := netip.ParseAddrPort(s.Peers[0].Endpoint)
		return err == nil && (at.Addr() == to[0].Addr() || at.Addr() == to[1].Addr()) && s.Up()
	})
}

// sorted returns the lines of a text in their order.
func sorted(text string) []string { return slices.Sorted(strings.Lines(text)) }

// await waits until a's routing is as it was.
func (n *internet) await(t *testing.T, want string) {
	t.Helper()
	var got string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got = n.routing(t); got == want {
			return
		}
	}
	t.Fatalf("a's routing was:\n%s\nand is:\n%s", want, got)
}

// TestStrictFirewall: a firewall that refuses IPv6 by the reverse path, as firewalld
// does, lets the tunnel's packets in with the rule of docs/default-route.md.
func TestStrictFirewall(t *testing.T) {
	tier.Select(t)
	n := newInternet(t, overIPv6)
	for _, command := range []string{
		"add table inet firewall",
		"add chain inet firewall prerouting { type filter hook prerouting priority filter + 10; }",
		"add rule inet firewall prerouting icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept",
		"add rule inet firewall prerouting meta nfproto ipv6 fib saddr . mark . iif oif missing drop",
		"add table inet fathom",
		"add chain inet fathom prerouting { type filter hook prerouting priority mangle; }",
		"add rule inet fathom prerouting fib daddr type local udp dport 4500 meta mark set 0x1194",
	} {
		run(t, n.A, "nft", command)
	}
	up(t, n.a, n.b)
	n.reaches(t)
}
