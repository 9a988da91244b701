//go:build linux

package test

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/tier"
)

// TestUDPThatMustNotBeFragmented sends datagrams with DF, of sizes that fit the
// path and that do not, and runs of datagrams as QUIC sends them (UDP_SEGMENT),
// over a path that shrinks: every one arrives in its original size.
func TestUDPThatMustNotBeFragmented(t *testing.T) {
	tier.Select(t, tier.Superlinks)
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	for _, mtu := range []int{1500, 1400, 1280, 1000, 576} {
		l.narrow(mtu)
		bulk(t, l.A, l.B, innerB4, 1<<20) // data makes the tunnel notice
		exact(t, l.a, mtu)
		for _, address := range []string{innerB4, innerB6} {
			for _, run := range []int{1, 20} {
				for _, size := range []int{1200, 1400, 1430} {
					if wrong := sendRuns(t, l.A, l.B, address, size, run, 20); wrong > 0 {
						t.Errorf("path of %d, to %s, runs of %d datagrams of %d bytes: %d of another size", mtu, address, run, size, wrong)
					}
				}
			}
		}
	}
	t.Logf("%+v", statusOf(t, l.a).Peers[0].Surgery)
}

// sendRuns sends runs of datagrams with DF, waits until all have arrived, and
// counts those of another size.
func sendRuns(t *testing.T, from, to *netlab.Host, address string, size, run, times int) (wrong int) {
	t.Helper()
	receiver, err := to.ListenPacket("udp", net.JoinHostPort(address, "0"))
	check(t, err)
	defer receiver.Close()
	check(t, receiver.(*net.UDPConn).SetReadBuffer(4<<20))
	sender, err := from.Dial("udp", receiver.LocalAddr().String())
	check(t, err)
	defer sender.Close()
	raw, err := sender.(*net.UDPConn).SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) {
		setDF(int(fd))
		if run > 1 {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, size)
		}
	}))
	check(t, err)
	seen := make(map[uint32]bool)
	number := uint32(0)
	for range times {
		b := make([]byte, size*run)
		for i := range run {
			binary.BigEndian.PutUint32(b[i*size:], number)
			number++
		}
		if _, err := sender.Write(b); err != nil {
			t.Fatalf("send %d bytes: %v", len(b), err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	buffer := make([]byte, 65536)
	receiver.SetReadDeadline(time.Now().Add(within))
	for len(seen) < int(number) {
		n, _, err := receiver.ReadFrom(buffer)
		if err != nil {
			t.Fatalf("to %s, runs of %d datagrams of %d bytes: %d of %d are lost: %v", address, run, size, int(number)-len(seen), number, err)
		}
		if n != size {
			wrong++
		}
		seen[binary.BigEndian.Uint32(buffer)] = true
	}
	return wrong
}
