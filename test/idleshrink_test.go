//go:build linux

package test

import (
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/tier"
)

// TestIdlePathShrinks: the path of an idle tunnel shrinks without a word. The first
// large packet after that, half a minute later, arrives all the same.
func TestIdlePathShrinks(t *testing.T) {
	tier.Select(t, tier.Long)
	t.Parallel() // it waits for most of the time
	pairs := 4
	if tier.Full() {
		pairs = 10
	}
	const after = 30 * time.Second
	var all []*userPair
	for range pairs {
		l := newUserPair(t, "", 10*time.Millisecond)
		up(t, l.a, l.b)
		exact(t, l.a, 1500)
		bulk(t, l.A, l.B, innerB4, 1<<20) // data has flowed of late
		all = append(all, l)
	}
	arrived := 0
	for _, first := range []struct {
		address string
		mtu     int
	}{{innerB4, 1400}, {innerB6, 1360}} {
		for _, l := range all {
			l.link.Update(func(c *conditions) { c.MTU = first.mtu })
		}
		time.Sleep(after)
		var sending sync.WaitGroup
		results := make([]bool, len(all))
		for i, l := range all {
			sending.Go(func() { results[i] = firstLarge(t, l.A, l.B, first.address) })
		}
		sending.Wait()
		for i, ok := range results {
			if ok {
				arrived++
			} else {
				t.Errorf("the first large packet to %s is lost: %+v", first.address, statusOf(t, all[i].a).Peers[0].PMTUD)
			}
		}
	}
	tier.Figure(t, "%d of %d first large packets arrive, %v after an idle path has shrunk", arrived, 2*pairs, after)
}

// firstLarge sends one UDP datagram of a packet of 1400 bytes that must not be
// fragmented, and reports whether it arrives.
func firstLarge(t *testing.T, from, to *netlab.Host, address string) bool {
	const length, patience = 1400, 5 * time.Second
	receiver, err := to.ListenPacket("udp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Error(err)
		return false
	}
	defer receiver.Close()
	sender, err := from.Dial("udp", receiver.LocalAddr().String())
	if err != nil {
		t.Error(err)
		return false
	}
	defer sender.Close()
	raw, err := sender.(*net.UDPConn).SyscallConn()
	if err != nil {
		t.Error(err)
		return false
	}
	v6 := net.ParseIP(address).To4() == nil
	headers := 20 + 8
	if v6 {
		headers = 40 + 8
	}
	_ = raw.Control(func(fd uintptr) {
		if v6 {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
		}
	})
	if err == nil {
		_, err = sender.Write(make([]byte, length-headers))
	}
	if err != nil {
		t.Error(err)
		return false
	}
	_ = receiver.SetReadDeadline(time.Now().Add(patience))
	n, _, err := receiver.ReadFrom(make([]byte, 2*length))
	return err == nil && n == length-headers
}
