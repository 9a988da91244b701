//go:build linux

package test

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
	// No more is under way than the sockets have room for, but where the machine
	// does not come to read them. What its queues lose then, the kernel counts.
	full := func() int {
		return kernelCount(t, l.A, "Udp", "SndbufErrors") + kernelCount(t, l.B, "Udp", "RcvbufErrors") + backlogDrops(t)
	}
	before := full()
	var transfers []*transfer
	for range 4 {
		client, server := connectWithin(t, l.A, l.B, innerB4, 128<<10)
		transfers = append(transfers, transferOver(t, paced{client, 8 << 20}, server))
	}
	const flows, each = 8, 300
	var streams []*flow
	for i := range flows {
		address := innerB4
		if i%2 == 1 {
			address = innerB6
		}
		streams = append(streams, startFlow(t, l.A, l.B, address, 1430, 2*time.Millisecond, 25, setDF))
	}
	for _, f := range streams {
		f.reach(each)
	}
	// A slow machine's full device loses some before they come to the tunnel.
	carried := int(statusOf(t, l.a).Peers[0].Surgery.TunnelFragments)
	lost, sent := 0, 0
	for _, f := range streams {
		s := f.stop()
		lost += s.lost
		sent += s.sent
	}
	for _, x := range transfers {
		x.more(1 << 20)
		x.stop()
	}
	a, b := statusOf(t, l.a).Peers[0], statusOf(t, l.b).Peers[0]
	overflowed := full() - before
	t.Logf("%d datagrams; a %+v, b %+v; the kernel's full queues lost %d", sent, a.Surgery, b.Surgery, overflowed)
	if carried < flows*each/2 {
		t.Errorf("only %d of %d datagrams went in tunnel fragments", carried, sent)
	}
	if arrived := sent - lost + overflowed; arrived < carried || b.Surgery.Reassembled+uint64(overflowed) < a.Surgery.TunnelFragments {
		t.Errorf("of %d datagrams in tunnel fragments %d arrive or are lost in the kernel's full queues; a dropped %v, b %v", carried, arrived, a.Dropped, b.Dropped)
	}
}

// setDF makes a socket send with DF, whatever the kernel believes of the path.
func setDF(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
}
