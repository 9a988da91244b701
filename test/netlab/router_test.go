//go:build linux

package netlab_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// families runs a test over IPv4 and IPv6.
func families(t *testing.T, net *netlab.Routed, test func(t *testing.T, to netip.Addr)) {
	t.Run("over IPv4", func(t *testing.T) { test(t, net.Right.B.Addr4()) })
	t.Run("over IPv6", func(t *testing.T) { test(t, net.Right.B.Addr6()) })
}

func TestARouterForwardsUpToItsMTU(t *testing.T) {
	net := labtest.New(t, netlab.Namespaces).Routed()
	echo(t, net.B)
	families(t, net, func(t *testing.T, to netip.Addr) {
		conn := dialUDP(t, net.A, to)
		if !ask(t, conn, netlab.EthernetMTU, soon) {
			t.Errorf("no answer to a packet of %d bytes", netlab.EthernetMTU)
		}
	})
}

func TestAShrunkenLinkIsReportedUntilPTBsAreCut(t *testing.T) {
	net := labtest.New(t, netlab.Namespaces, netlab.Filters).Routed()
	echo(t, net.B)
	const mtu = 1400
	net.Right.SetMTU(mtu)
	if got := net.Right.A.MTU(); got != mtu {
		t.Fatalf("MTU is %d, want %d", got, mtu)
	}
	families(t, net, func(t *testing.T, to netip.Addr) {
		net.R.CutPTB(false)
		conn := dialUDP(t, net.A, to)
		if !ask(t, conn, mtu, soon) {
			t.Fatalf("no answer to a packet of %d bytes", mtu)
		}
		if ask(t, conn, mtu+1, quiet) {
			t.Errorf("a packet of %d bytes crossed a link of %d", mtu+1, mtu)
		}
		if got := nextPTB(t, conn, soon); got != mtu {
			t.Errorf("PTB tells %d, want %d", got, mtu)
		}

		net.R.CutPTB(true)
		if ask(t, conn, mtu+1, quiet) {
			t.Errorf("a packet of %d bytes crossed a link of %d", mtu+1, mtu)
		}
		if got := nextPTB(t, conn, quiet); got != 0 {
			t.Errorf("a PTB (MTU %d) came although they are cut", got)
		}

		net.R.CutPTB(false)
		net.R.Mute(true)
		ask(t, conn, mtu+1, quiet)
		if got := nextPTB(t, conn, quiet); got != 0 {
			t.Errorf("a PTB (MTU %d) came although the router is mute", got)
		}
		if !ask(t, conn, mtu, soon) {
			t.Error("a mute router does not forward")
		}

		net.R.Mute(false)
		net.A.LosePTB(true)
		ask(t, conn, mtu+1, quiet)
		if got := nextPTB(t, conn, quiet); got != 0 {
			t.Errorf("a PTB (MTU %d) came although the host loses them", got)
		}

		net.A.LosePTB(false)
		ask(t, conn, mtu+1, quiet)
		if got := nextPTB(t, conn, soon); got != mtu {
			t.Errorf("after undoing, PTB tells %d, want %d", got, mtu)
		}
	})
}

func TestALinkLosesWhatIsLonger(t *testing.T) {
	net := labtest.New(t, netlab.Namespaces, netlab.Filters).Routed()
	echo(t, net.B)
	const length = 1300
	families(t, net, func(t *testing.T, to netip.Addr) {
		conn := dialUDP(t, net.A, to)
		for _, at := range []struct {
			host *netlab.Host
			by   *netlab.Interface
		}{{net.R, net.Left.B}, {net.B, net.Right.B}} { // a router, and the end
			at.host.LoseLonger(length, at.by)
			if !ask(t, conn, length, soon) {
				t.Errorf("no answer to a packet of %d bytes", length)
			}
			if ask(t, conn, length+1, quiet) {
				t.Errorf("a packet of %d bytes came in by %v", length+1, at.by)
			}
			at.host.LoseLonger(0)
		}
		net.R.LoseLonger(length, net.Right.A)
		net.R.LoseLonger(length+1, net.Left.B) // replaces that
		if !ask(t, conn, length+1, soon) {
			t.Error("the rule for one interface holds for another")
		}
		net.R.LoseLonger(0)
	})
}

func TestCutICMPStopsErrorsButNotNeighbourDiscovery(t *testing.T) {
	net := labtest.New(t, netlab.Namespaces, netlab.Filters).Routed()
	families(t, net, func(t *testing.T, to netip.Addr) {
		// The port is closed: b answers Port Unreachable, which the kernel
		// reports on the next write.
		refused := func(within time.Duration) bool {
			conn := dialUDP(t, net.A, to)
			for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(quiet / 10) {
				if _, err := conn.Write([]byte("anyone?")); err != nil {
					return true
				}
			}
			return false
		}
		for _, cut := range []bool{false, true, false} {
			net.R.CutICMP(cut)
			within := soon
			if cut {
				within = quiet
			}
			if refused(within) == cut {
				t.Errorf("with ICMP cut %v, an error came through: %v", cut, !cut)
			}
		}
	})

	net = labtest.New(t, netlab.Namespaces, netlab.Filters).Routed() // which knows no neighbours
	net.R.CutICMP(true)
	echo(t, net.B)
	families(t, net, func(t *testing.T, to netip.Addr) {
		if !ask(t, dialUDP(t, net.A, to), 100, soon) {
			t.Error("no answer: neighbour discovery has been cut too")
		}
	})
}

func TestDropLongerIsExactSilentAndUndone(t *testing.T) {
	net := labtest.New(t, netlab.Namespaces, netlab.Filters).Routed()
	echo(t, net.B)
	const limit = 1300
	families(t, net, func(t *testing.T, to netip.Addr) {
		net.R.DropLonger(limit)
		conn := dialUDP(t, net.A, to)
		if !ask(t, conn, limit, soon) {
			t.Errorf("%d bytes did not pass", limit)
		}
		if ask(t, conn, limit+1, quiet) {
			t.Errorf("%d bytes passed", limit+1)
		}
		if mtu := nextPTB(t, conn, quiet); mtu != 0 {
			t.Errorf("it was not silent: PTB tells %d", mtu)
		}
		net.R.DropLonger(limit, net.Left.B)
		if !ask(t, conn, limit+1, soon) {
			t.Errorf("%d bytes did not pass, though only the other interface is limited", limit+1)
		}
		net.R.DropLonger(0)
		if !ask(t, conn, limit+1, soon) {
			t.Errorf("after undoing, %d bytes did not pass", limit+1)
		}
	})
}

func TestClearDFMakesARouterFragment(t *testing.T) {
	net := labtest.New(t, netlab.Namespaces, netlab.Filters, netlab.Packets).Routed()
	echo(t, net.B)
	net.Right.SetMTU(1280)
	net.R.ClearDF(true)
	seen := labtest.Capture(t, net.Right.B)
	conn := dialUDP(t, net.A, net.Right.B.Addr4())
	if !ask(t, conn, 1500, soon) {
		t.Fatal("no answer: the packet was neither passed nor fragmented")
	}
	const moreFragments, dontFragment = 0x2000, 0x4000
	first, ok := seen.Await(soon, func(p netlab.Packet) bool {
		return !p.Sent && p.Data[0]>>4 == 4 && binary.BigEndian.Uint16(p.Data[6:])&moreFragments != 0
	})
	if !ok {
		t.Fatal("no fragment on the wire")
	}
	if binary.BigEndian.Uint16(first.Data[6:])&dontFragment != 0 {
		t.Error("DF is still set")
	}
	if sum := checksum(first.Data[:20]); sum != 0xffff {
		t.Errorf("header checksum is off: the sum is %#x", sum)
	}

	net.R.ClearDF(false)
	if ask(t, conn, 1500, quiet) {
		t.Error("after undoing, a packet with DF was fragmented")
	}
}

// checksum is the one's complement sum of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func TestMasqueradeShowsTheRoutersAddress(t *testing.T) {
	net := labtest.New(t, netlab.Namespaces, netlab.NAT).Routed()
	for _, masqueraded := range []bool{true, false} {
		want := net.Left.A.Addr4()
		net.R.Masquerade()
		if masqueraded {
			want = net.Right.A.Addr4()
			net.R.Masquerade(net.Right.A)
		}
		server, err := net.B.ListenPacket("udp4", "0.0.0.0:9999")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.A.Dial("udp", netip.AddrPortFrom(net.Right.B.Addr4(), 9999).String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte("who am I?"))
		buf := make([]byte, 100)
		_, from, err := server.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if got := netip.MustParseAddrPort(from.String()).Addr(); got != want {
			t.Errorf("masquerade %v: b sees %v, want %v", masqueraded, got, want)
		}
		server.WriteTo([]byte("you"), from)
		if n, err := conn.Read(buf); err != nil || !bytes.Equal(buf[:n], []byte("you")) {
			t.Errorf("masquerade %v: the answer did not come back: %v", masqueraded, err)
		}
		conn.Close()
		server.Close()
	}
}

func TestLossPercentLosesAboutThatMuch(t *testing.T) {
	net := labtest.New(t, netlab.Namespaces, netlab.Filters).Routed()
	const sent, percent = 4000, 25
	got := func() int {
		before := net.Right.B.Stats().RxPackets
		arrived := func() int { return int(net.Right.B.Stats().RxPackets - before) }
		// rests waits until nothing has come for a while: the kernel forwards packets
		// later where it is busy, and its queue has room for a thousand.
		rests := func(while time.Duration) (n int) {
			for last, since := -1, time.Now(); n < sent && time.Since(since) < while; time.Sleep(while / 20) {
				if n = arrived(); n > last {
					last, since = n, time.Now()
				}
			}
			return n
		}
		conn := dialUDP(t, net.A, net.Right.B.Addr4())
		for i := range sent {
			conn.Write([]byte("x"))
			if i%200 == 199 {
				rests(2 * time.Millisecond)
			}
		}
		return rests(quiet)
	}
	net.R.CutICMP(true)
	net.R.LossPercent(percent, net.Right.A)
	// Six standard deviations of a binomial distribution are about 165.
	if n := got(); n < sent*(100-percent)/100-200 || n > sent*(100-percent)/100+200 {
		t.Errorf("%d of %d packets arrived at %d %% loss", n, sent, percent)
	}
	net.R.LossPercent(0)
	if n := got(); n < sent {
		t.Errorf("%d of %d packets arrived without loss", n, sent)
	}
}
