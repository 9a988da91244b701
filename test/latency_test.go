//go:build linux

package test

import (
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/tier"
)

// TestATransferKeepsNobodyWaiting sends at full rate out of an interface of 100
// Mbit/s whose own queue has room for seconds, as the rings of many drivers do, by
// a TCP that fills every queue. Packets beside the transfer wait for little more
// than the data that keeps the interface busy: the queue stays with the sender and
// is kept short there. The transfer does not pay for it.
func TestATransferKeepsNobodyWaiting(t *testing.T) {
	tier.Select(t, tier.Measures)
	const (
		rate = 100_000_000
		most = 100 * time.Millisecond // half of the wait with the usual buffers of sockets and devices
	)
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	fast := bulk(t, l.A, l.B, innerB4, 32<<20) // as fast as this machine can
	l.left.A.LimitRate(rate, 4*rate/8)
	client, server := connect(t, l.A, l.B, innerB4)
	useCubic(t, client)
	beside := l.beside(t)
	data := transferOver(t, client, server)
	data.more(2 * rate / 8 * 7 / 10) // the queue is full by then
	took := echoes(t, l.A, l.B, innerB4, 100, 10*time.Millisecond)
	r := data.stop()
	stall, stood := stalls(beside())
	bitsPerSecond := func(bytes int64, in time.Duration) float64 { return float64(bytes) * 8 / in.Seconds() }
	if reached, alone := bitsPerSecond(r.bytes, r.elapsed-stood), bitsPerSecond(fast.bytes, fast.elapsed); reached < 0.7*min(rate, alone/2) {
		t.Errorf("the transfer reached %.0f Mbit/s, without a limit %.0f Mbit/s", reached/1e6, alone/1e6)
	}
	idle := echoes(t, l.A, l.B, innerB4, 20, 10*time.Millisecond)[10]
	median, dropped := took[len(took)/2], statusOf(t, l.a).Peers[0].Dropped
	tier.Figure(t, "an echo takes %v beside the transfer, %v alone; %d bytes in %v; dropped %v", median, idle, r.bytes, r.elapsed.Round(time.Millisecond), dropped)
	if median-idle > most {
		t.Errorf("an echo takes %v beside the transfer, %v alone", median, idle)
	}
	if dropped["send_queue_full"] > 0 {
		t.Error("packets were read off the device while no queue had room for them")
	}
	if n := len(statusOf(t, l.a).Peers[0].PMTUD.History); n > 1 && stall < doubtful {
		t.Errorf("the path was taken for another %d times, and the machine has stalled for %v at most", n-1, stall)
	}
}

// useCubic makes a connection's sender use Linux's default congestion control,
// whatever that of the machine is.
func useCubic(t testing.TB, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	check(t, err)
	var refused error
	check(t, raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
	}))
	check(t, refused)
}

// echoes sends datagrams at intervals, and returns how long the answers took,
// the shortest first. One that does not come within a second takes that.
func echoes(t testing.TB, from, to *netlab.Host, address string, n int, interval time.Duration) []time.Duration {
	t.Helper()
	const lost = time.Second
	server, err := to.ListenPacket("udp", net.JoinHostPort(address, "0"))
	check(t, err)
	defer server.Close()
	go func() {
		b := make([]byte, 1)
		for {
			_, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			server.WriteTo(b, from)
		}
	}()
	client, err := from.Dial("udp", server.LocalAddr().String())
	check(t, err)
	defer client.Close()
	began := time.Now()
	sent := make([]atomic.Int64, n) // since began
	go func() {
		for i := range n {
			sent[i].Store(int64(time.Since(began)))
			client.Write([]byte{byte(i)})
			time.Sleep(interval)
		}
	}()
	took := slices.Repeat([]time.Duration{lost}, n)
	check(t, client.SetReadDeadline(time.Now().Add(time.Duration(n)*interval+lost)))
	b := make([]byte, 1)
	for range n {
		if _, err := client.Read(b); err != nil {
			break // some are lost
		}
		if i := int(b[0]); i < n {
			took[i] = time.Since(began) - time.Duration(sent[i].Load())
		}
	}
	slices.Sort(took)
	return took
}
