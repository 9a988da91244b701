//go:build linux

package netlab_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// wan connects hosts a and b by a user-space link.
func wan(tb testing.TB, config netlab.UserLinkConfig) (a, b *netlab.Host, link *netlab.UserLink) {
	tb.Helper()
	lab := labtest.New(tb, netlab.Namespaces, netlab.TUN)
	a, b = lab.Host("a"), lab.Host("b")
	config.AddrA = netlab.Prefixes("10.9.0.1/24", "fd09::1/64")
	config.AddrB = netlab.Prefixes("10.9.0.2/24", "fd09::2/64")
	return a, b, lab.UserLink(a, b, config)
}

// numbered sends count datagrams that carry their number from a to b, and
// returns the numbers in the order of their arrival, until none comes anymore.
func numbered(t *testing.T, a, b *netlab.Host, link *netlab.UserLink, count, ipLength int) (numbers []int) {
	t.Helper()
	server, err := b.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	to := netip.AddrPortFrom(link.B.Addr4(), server.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	conn, err := a.Dial("udp4", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := 0
	var arrived atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1<<16)
		for {
			n, _, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			if n >= 4 {
				numbers = append(numbers, int(binary.BigEndian.Uint32(buf)))
			}
			arrived.Add(1)
		}
	}()
	// drained waits until all packets have left the link, and have arrived.
	drained := func() {
		for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
			n := link.AtoB.Counters()
			if n.In >= uint64(sent) && n.In-n.Lost+n.Duplicated == n.Out && uint64(arrived.Load()) >= n.Out {
				return
			}
		}
	}
	payload := make([]byte, ipLength-ipv4UDP)
	for n := range count {
		binary.BigEndian.PutUint32(payload, uint32(n))
		if _, err := conn.Write(payload); err != nil {
			t.Error(err)
		}
		if sent++; sent%16 == 0 {
			drained() // receive buffers are small
		}
	}
	drained()
	server.SetReadDeadline(time.Now().Add(quiet)) // and nothing more comes
	<-done
	return numbers
}

func TestAUserLinkCarriesBothFamiliesAtItsDelay(t *testing.T) {
	a, b, link := wan(t, netlab.UserLinkConfig{})
	echo(t, b)
	const delay = 10 * time.Millisecond
	for _, to := range link.B.Addrs() {
		conn := dialUDP(t, a, to)
		shortest := func() time.Duration { // of those the machine has not delayed itself
			trip := soon
			for range 21 {
				start := time.Now()
				if !ask(t, conn, 1500, soon) {
					t.Fatalf("no answer from %v", to)
				}
				trip = min(trip, time.Since(start))
			}
			return trip
		}
		link.Set(netlab.Conditions{})
		base := shortest()
		link.Update(func(c *netlab.Conditions) { c.Delay = delay })
		got := shortest() - base
		if got < 2*delay*9/10 || got > 2*delay*3/2 {
			t.Errorf("%v: the delay adds %v to a round trip, want %v", to, got, 2*delay)
		}
		t.Logf("%v: round trip %v without delay, %v more with %v each way", to, base, got, delay)
	}
}

func TestAUserLinkIsABlackHoleToTheByte(t *testing.T) {
	a, b, link := wan(t, netlab.UserLinkConfig{})
	echo(t, b)
	const mtu = 1372
	link.AtoB.Update(func(c *netlab.Conditions) { c.MTU = mtu })
	for _, to := range link.B.Addrs() {
		conn := dialUDP(t, a, to)
		if !ask(t, conn, mtu, soon) {
			t.Errorf("%d bytes did not pass", mtu)
		}
		before := link.AtoB.Counters().TooLong
		if ask(t, conn, mtu+1, quiet) {
			t.Errorf("%d bytes passed", mtu+1)
		}
		if ptb := nextPTB(t, conn, quiet/3); ptb != 0 {
			t.Errorf("it was not silent: PTB tells %d", ptb)
		}
		if got := link.AtoB.Counters().TooLong - before; got != 1 {
			t.Errorf("%d packets counted too long, want 1", got)
		}
	}
}

func TestASeededUserLinkRepeatsItself(t *testing.T) {
	const count = 2000
	conditions := netlab.Conditions{Loss: 0.1, Duplicate: 0.05}
	run := func(seed uint64) []int {
		a, b, link := wan(t, netlab.UserLinkConfig{Seed: seed, AtoB: conditions})
		numbers := numbered(t, a, b, link, count, 100)
		n := link.AtoB.Counters()
		if n.In != count || n.In-n.Lost+n.Duplicated != n.Out || int(n.Out) != len(numbers) {
			t.Errorf("counters do not add up for %d arrivals: %+v", len(numbers), n)
		}
		if n.Lost < count*7/100 || n.Lost > count*13/100 {
			t.Errorf("%d of %d lost, want about a tenth", n.Lost, count)
		}
		return numbers
	}
	first, again, other := run(42), run(42), run(43)
	if !slices.Equal(first, again) {
		t.Error("one seed brought two runs")
	}
	if slices.Equal(first, other) {
		t.Error("two seeds brought one run")
	}
}

func TestAUserLinkReorders(t *testing.T) {
	a, b, link := wan(t, netlab.UserLinkConfig{Seed: 1, AtoB: netlab.Conditions{Reorder: 0.05, ReorderBy: 3 * time.Millisecond}})
	const count = 1000
	numbers := numbered(t, a, b, link, count, 100)
	late := 0
	for n := 1; n < len(numbers); n++ {
		if numbers[n] < numbers[n-1] {
			late++
		}
	}
	if len(numbers) != count || late == 0 {
		t.Errorf("%d of %d arrived, %d late", len(numbers), count, late)
	}
	if n := link.AtoB.Counters(); n.Reordered < count*2/100 || n.Reordered > count*8/100 {
		t.Errorf("%d of %d held back", n.Reordered, count)
	}
}

func TestAUserLinkHasTheRateItIsGiven(t *testing.T) {
	const rate, seconds = 20e6, 0.4
	a, b, link := wan(t, netlab.UserLinkConfig{AtoB: netlab.Conditions{Rate: rate, Queue: 64 << 10}})
	server, err := b.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	// TCP's goodput is a few percent lower. A machine that does something else
	// lets the link idle, but not every time.
	var got float64
	for tries := 5; tries > 0 && got < rate*0.6; tries-- {
		start := time.Now() // data may come before the connection is accepted
		go send(a, link, server, int(rate*seconds/8))
		conn, err := server.Accept()
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, conn)
		conn.Close()
		if err != nil {
			t.Fatal(err)
		}
		got = float64(n) * 8 / time.Since(start).Seconds()
	}
	if got > rate || got < rate*0.6 {
		t.Errorf("TCP got %.1f Mbit/s of %.1f", got/1e6, rate/1e6)
	}
}

// send opens a connection from a to the server and sends the given number of
// bytes.
func send(a *netlab.Host, link *netlab.UserLink, server net.Listener, bytes int) {
	to := netip.AddrPortFrom(link.B.Addr4(), server.Addr().(*net.TCPAddr).AddrPort().Port())
	conn, err := a.Dial("tcp4", to.String())
	if err != nil {
		server.Close()
		return
	}
	defer conn.Close()
	chunk := make([]byte, 128<<10)
	for bytes > 0 {
		n, err := conn.Write(chunk[:min(bytes, len(chunk))])
		if err != nil {
			return
		}
		bytes -= n
	}
}

func TestAFilterDropsExactlyWhatItNames(t *testing.T) {
	a, b, link := wan(t, netlab.UserLinkConfig{})
	echo(t, b)
	questions := 0
	link.AtoB.SetFilter(func(dir netlab.Dir, packet []byte) netlab.Verdict {
		if dir != netlab.AtoB {
			t.Errorf("called for %v", dir)
		}
		if questions++; questions <= 2 {
			return netlab.Drop
		}
		return netlab.Pass
	})
	conn := dialUDP(t, a, link.B.Addr4())
	for n, want := range []bool{false, false, true} {
		within := quiet
		if want {
			within = soon
		}
		if got := ask(t, conn, 100, within); got != want {
			t.Errorf("question %d: answered %v, want %v", n, got, want)
		}
	}
	if n := link.AtoB.Counters(); n.Filtered != 2 {
		t.Errorf("%d counted as filtered, want 2", n.Filtered)
	}
}

func TestAUserLinkLeavesLinkLocalMulticastOut(t *testing.T) {
	a, b, link := wan(t, netlab.UserLinkConfig{})
	server, err := b.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	a.DefaultVia(link.B.Addr4())
	for _, to := range []struct {
		address string
		in      uint64
	}{{"224.0.0.251:5353", 0}, {"239.1.2.3:5353", 1}, {"[ff02::fb%wan0]:5353", 0}, {"10.9.0.77:5353", 1}} {
		before := link.AtoB.Counters().In
		conn, err := a.Dial("udp", to.address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte("anyone?"))
		conn.Close()
		if to.in > 0 {
			eventually(t, func() string { return fmt.Sprint(link.AtoB.Counters().In - before) }, fmt.Sprint(to.in))
			continue
		}
		time.Sleep(quiet / 3)
		if got := link.AtoB.Counters().In - before; got != 0 {
			t.Errorf("%d packets to %s were counted", got, to.address)
		}
	}
}

func BenchmarkUserLinkTCP(b *testing.B) {
	for _, bench := range []struct {
		name string
		mtu  int
	}{{"MTU 1500", 1500}, {"MTU 9000", 9000}, {"MTU 65535", 65535}} {
		b.Run(bench.name, func(b *testing.B) {
			from, to, link := wan(b, netlab.UserLinkConfig{DeviceMTU: bench.mtu})
			link.Set(netlab.Conditions{Delay: time.Millisecond})
			server, err := to.Listen("tcp4", "0.0.0.0:0")
			if err != nil {
				b.Fatal(err)
			}
			defer server.Close()
			const chunk = 1 << 20
			b.SetBytes(chunk)
			go send(from, link, server, b.N*chunk)
			conn, err := server.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			b.ResetTimer()
			if n, err := io.Copy(io.Discard, conn); err != nil || n != int64(b.N*chunk) {
				b.Fatal(n, err)
			}
			b.ReportMetric(float64(b.N*chunk)*8/b.Elapsed().Seconds()/1e9, "Gbit/s")
		})
	}
}

// TestABundleTakesTurns: packet by packet, each line has its own MTU, and tells it or
// does not.
func TestABundleTakesTurns(t *testing.T) {
	a, b, link := wan(t, netlab.UserLinkConfig{})
	echo(t, b)
	const mtu, share = 1400, 3
	for _, tells := range []bool{false, true} {
		for _, to := range link.B.Addrs() {
			conn := dialUDP(t, a, to)
			link.AtoB.Set(netlab.Conditions{Lines: []netlab.Line{{MTU: 1500, Share: share}, {MTU: mtu}}, TellMTU: tells})
			passed, told := 0, 0
			before := link.AtoB.Counters()
			const rounds = 3
			for range rounds * (share + 1) {
				long := link.AtoB.Counters().TooLong
				if _, err := conn.Write(make([]byte, mtu)); err != nil { // more with its headers
					t.Fatal(err)
				}
				for end := time.Now().Add(soon); ; time.Sleep(time.Millisecond) {
					n := link.AtoB.Counters()
					if n.TooLong > long {
						if tells && nextPTB(t, conn, soon) == mtu {
							told++
						} else if !tells && nextPTB(t, conn, quiet/3) != 0 {
							t.Errorf("%v: it was told, silent as it was to be", to)
						}
						break
					}
					if int(n.Out-before.Out) > passed {
						passed++
						break
					}
					if time.Now().After(end) {
						t.Fatalf("%v: a packet has neither passed nor been too long", to)
					}
				}
			}
			if want := rounds * share; passed != want {
				t.Errorf("%v: %d of %d packets have passed, want %d", to, passed, rounds*(share+1), want)
			}
			if tells && told != rounds {
				t.Errorf("%v: %d PTBs, want %d", to, told, rounds)
			}
			if !ask(t, conn, mtu, soon) {
				t.Errorf("%v: %d bytes did not pass", to, mtu)
			}
		}
	}
}
