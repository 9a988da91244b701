//go:build linux

package test

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/tier"
)

// severalQueues makes the loops of a tunnel many, however few CPUs there are.
const severalQueues = "queues = 4"

// TestSeveralQueuesKeepTheOrder sends many flows at once through tunnels with
// several queues: none overtakes itself. Nothing answers the datagrams, and
// none of their flows pauses: the kernel forgets after three seconds which
// queue a flow belongs to.
func TestSeveralQueuesKeepTheOrder(t *testing.T) {
	tier.Select(t, tier.OffloadOnly)
	const flows, bulk, each = 16, 8, 2000
	p := newPair(t, overIPv4, severalQueues)
	up(t, p.a, p.b)
	if n := statusOf(t, p.a).Offload.Queues; n != 4 {
		t.Fatalf("%d queues", n)
	}
	// Connected first: the datagrams may be more than the machine carries.
	var transfers []*transfer
	for i := range bulk {
		from, to, address := p.A, p.B, innerB4
		if i%2 == 1 {
			from, to, address = p.B, p.A, innerA6
		}
		transfers = append(transfers, transferring(t, from, to, address))
	}
	var streams []*flow
	for i := range flows {
		address := innerB4
		if i%2 == 1 {
			address = innerB6
		}
		streams = append(streams, startStream(t, p.A, p.B, address, 100+i*80, 100*time.Microsecond))
	}
	results := make([]stream, flows)
	var stopping sync.WaitGroup
	for _, f := range streams {
		f.reach(each)
	}
	for i, f := range streams {
		stopping.Go(func() { results[i] = f.stop() })
	}
	stopping.Wait()
	sent := 0
	for i, s := range results {
		sent += s.sent
		// A host's full buffer loses some.
		if s.reordered > 0 || s.duplicated > 0 || s.lost == s.sent {
			t.Errorf("flow %d: %v", i, s)
		}
	}
	t.Logf("%d datagrams in %d flows", sent, flows)
	for _, x := range transfers {
		x.more(1 << 20)
		x.stop()
	}
	for name, dropped := range map[string]map[string]uint64{"a": statusOf(t, p.a).Peers[0].Dropped, "b": statusOf(t, p.b).Peers[0].Dropped} {
		if dropped["replay"] > 0 || dropped["malformed"] > 0 {
			t.Errorf("%s dropped %v", name, dropped)
		}
	}
}

// TestPiecesAmongSeveralQueues sends datagrams that go in tunnel fragments
// while other queues send on the same SA: each is put together again.
func TestPiecesAmongSeveralQueues(t *testing.T) {
	tier.Select(t)
	l := newLongPath(t, overIPv4, severalQueues)
	l.narrow(1300)
	up(t, l.a, l.b)
	exact(t, l.a, 1300)
	exact(t, l.b, 1300)
	// No more is under way than the sockets have room for.
	var transfers []*transfer
	for range 4 {
		client, server := connectWithin(t, l.A, l.B, innerB4, 128<<10)
		transfers = append(transfers, transferOver(t, paced{client, 8 << 20}, server))
	}
	lost, sent := 0, 0
	var flows sync.WaitGroup
	var mu sync.Mutex
	for i := range 8 {
		address := innerB4
		if i%2 == 1 {
			address = innerB6
		}
		flows.Go(func() {
			n, of := sendLarge(t, l.A, l.B, address, 1430, 300, 2*time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			lost += n
			sent += of
		})
	}
	flows.Wait()
	for _, x := range transfers {
		x.more(1 << 20)
		x.stop()
	}
	a, b := statusOf(t, l.a).Peers[0], statusOf(t, l.b).Peers[0]
	t.Logf("%d datagrams; a %+v, b %+v", sent, a.Surgery, b.Surgery)
	// A slow machine's full device loses some before they come to the tunnel.
	carried := int(a.Surgery.TunnelFragments)
	if carried < sent/2 {
		t.Errorf("only %d of %d datagrams went in tunnel fragments", carried, sent)
	}
	if arrived := sent - lost; arrived < carried || b.Surgery.Reassembled < a.Surgery.TunnelFragments {
		t.Errorf("of %d datagrams in tunnel fragments %d arrive; b dropped %v", carried, arrived, b.Dropped)
	}
}

// sendLarge sends datagrams with DF, and returns how many are lost of how many.
func sendLarge(t testing.TB, from, to *netlab.Host, address string, size, n int, interval time.Duration) (lost, sent int) {
	const underWay = 25
	receiver, err := to.ListenPacket("udp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Error(err)
		return
	}
	defer receiver.Close()
	_ = receiver.(*net.UDPConn).SetReadBuffer(4 << 20)
	sender, err := from.Dial("udp", receiver.LocalAddr().String())
	if err != nil {
		t.Error(err)
		return
	}
	defer sender.Close()
	if raw, err := sender.(*net.UDPConn).SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { setDF(int(fd)) })
	}
	seen := make(map[uint32]bool)
	var arrived atomic.Int64
	var reading sync.WaitGroup
	reading.Go(func() {
		b := make([]byte, 2*size)
		for {
			k, _, err := receiver.ReadFrom(b)
			if err != nil {
				return
			}
			if k == size {
				seen[binary.BigEndian.Uint32(b)] = true
				arrived.Store(int64(len(seen)))
			}
		}
	})
	// reaches waits until so many have arrived, or none is under way any more.
	reaches := func(n int) {
		last, since := int64(-1), time.Now()
		for last < int64(n) && time.Since(since) < silence {
			if now := arrived.Load(); now > last {
				last, since = now, time.Now()
			}
			time.Sleep(time.Millisecond)
		}
	}
	b := make([]byte, size)
	for range n {
		binary.BigEndian.PutUint32(b, uint32(sent))
		_, err := sender.Write(b)
		check(t, err)
		sent++
		time.Sleep(interval)
		if sent%underWay == 0 {
			reaches(sent)
		}
	}
	reaches(sent)
	_ = receiver.SetReadDeadline(time.Now())
	reading.Wait()
	return sent - len(seen), sent
}

// setDF makes a socket send with DF, whatever the kernel believes of the path.
func setDF(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
}
