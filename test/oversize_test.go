//go:build linux

package test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestUDPWithDF sends datagrams that the path does not carry from a socket that
// wants DF, as QUIC and DTLS have them. With signal it is told the inner MTU by
// a PTB that the kernel accepts. With carry they arrive, and the host is told
// nothing, for it would refuse to send the next.
func TestUDPWithDF(t *testing.T) {
	tier.Select(t)
	const innerMTU, payload = 1400 - 62, 1400
	for _, oversize := range []string{"carry", "signal"} {
		t.Run(oversize, func(t *testing.T) {
			// With this MTU, and no route of the tunnel's, the kernel has to be told.
			l := newLongPath(t, overIPv4, fmt.Sprintf("oversize = %q\nroutes = false\nmtu = 1500", oversize))
			l.narrow(1400)
			up(t, l.a, l.b)
			exact(t, l.a, 1400)
			for _, family := range []struct {
				address                     string
				level, discover, value, mtu int
			}{
				{innerB4, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO, unix.IP_MTU},
				{innerB6, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO, unix.IPV6_MTU},
			} {
				far, err := l.B.ListenPacket("udp", net.JoinHostPort(family.address, "0"))
				check(t, err)
				defer far.Close()
				conn, err := l.A.Dial("udp", far.LocalAddr().String())
				check(t, err)
				defer conn.Close()
				raw, err := conn.(*net.UDPConn).SyscallConn()
				check(t, err)
				check(t, raw.Control(func(fd uintptr) {
					err = unix.SetsockoptInt(int(fd), family.level, family.discover, family.value)
				}))
				check(t, err)
				mtu := func() (mtu int) {
					check(t, raw.Control(func(fd uintptr) { mtu, err = unix.GetsockoptInt(int(fd), family.level, family.mtu) }))
					check(t, err)
					return mtu
				}
				if oversize == "signal" {
					for deadline := time.Now().Add(within); mtu() != innerMTU; time.Sleep(20 * time.Millisecond) {
						if time.Now().After(deadline) {
							t.Fatalf("%s: the MTU is %d, want %d", family.address, mtu(), innerMTU)
						}
						conn.Write(make([]byte, payload))
					}
					continue
				}
				for i := range 50 {
					_, err := conn.Write(make([]byte, payload))
					check(t, err)
					check(t, far.SetReadDeadline(time.Now().Add(within)))
					if n, _, err := far.ReadFrom(make([]byte, 2*payload)); n != payload || err != nil {
						t.Fatalf("%s: datagram %d: %d bytes, %v", family.address, i, n, err)
					}
				}
				if mtu() < payload {
					t.Errorf("%s: the host believes in an MTU of %d", family.address, mtu())
				}
			}
			if oversize == "signal" {
				await(t, l.a, func(s *status.Status) bool { return s.Peers[0].Surgery.PTBs > 0 })
			} else if n := statusOf(t, l.a).Peers[0].Surgery.PTBs; n > 0 {
				t.Errorf("%d PTBs are counted", n)
			}
			bulk(t, l.A, l.B, innerB4, 4<<20)
		})
	}
}

// TestEverySizeArrives sends pings and UDP datagrams of many sizes, with and
// without DF, over a path that is smaller than they are.
func TestEverySizeArrives(t *testing.T) {
	tier.Select(t, tier.Superlinks)
	ping := program(t, "ping", "iputils-ping")
	for _, mtu := range []int{1300, 576} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			l := newLongPath(t, overIPv4, "")
			l.narrow(mtu)
			up(t, l.a, l.b)
			exact(t, l.a, mtu)
			exact(t, l.b, mtu)
			for _, address := range []string{innerB4, innerB6} {
				for _, size := range []int{100, 600, 1200, 1400, 3000, 8000} {
					// The first may be answered by a PTB, and is carried all the same.
					run(t, l.A, ping, "-c", "2", "-i", "0.05", "-W", "5", "-M", "dont", "-s", fmt.Sprint(size), address)
				}
			}
			for _, size := range []int{1200, 1400, 1430} {
				if got := startStream(t, l.A, l.B, innerB6, size, 2*time.Millisecond).reach(50).stop(); got.lost > 0 {
					t.Errorf("UDP of %d bytes: %v", size, got)
				}
			}
			a, b := statusOf(t, l.a).Peers[0], statusOf(t, l.b).Peers[0]
			t.Logf("a %+v, b %+v", a.Surgery, b.Surgery)
			if a.Surgery.TunnelFragments == 0 || b.Surgery.Reassembled == 0 || a.Surgery.Fragmented+a.Surgery.TunnelFragments == 0 {
				t.Errorf("nothing was carried in pieces: a %+v, b %+v", a.Surgery, b.Surgery)
			}
		})
	}
}

// TestPingReportsTheInnerMTU: with DF, ping is told the MTU, as over any link.
func TestPingReportsTheInnerMTU(t *testing.T) {
	tier.Select(t)
	ping := program(t, "ping", "iputils-ping")
	// With this MTU, and no route of the tunnel's, the kernel has to be told.
	l := newLongPath(t, overIPv4, "oversize = \"signal\"\nroutes = false\nmtu = 1500")
	l.narrow(1400)
	up(t, l.a, l.b)
	exact(t, l.a, 1400)
	for _, address := range []string{innerB4, innerB6} {
		out, err := l.A.Command(ping, "-c", "2", "-i", "0.1", "-W", "2", "-M", "do", "-s", "1400", address).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "1338") {
			t.Errorf("ping %s says, with %v:\n%s", address, err, out)
		}
	}
	await(t, l.a, func(s *status.Status) bool { return s.Peers[0].Surgery.PTBs >= 2 })
}

// TestTracepathReportsTheMTU inside the tunnel: with signal that of the path,
// with carry that of an Ethernet, which the tunnel is then.
func TestTracepathReportsTheMTU(t *testing.T) {
	tier.Select(t)
	tracepath := program(t, "tracepath", "iputils-tracepath")
	for oversize, want := range map[string]string{"carry": "pmtu 1500", "signal": "pmtu 1338"} {
		t.Run(oversize, func(t *testing.T) {
			l := newLongPath(t, overIPv4, fmt.Sprintf("oversize = %q", oversize))
			l.narrow(1400)
			up(t, l.a, l.b)
			exact(t, l.a, 1400)
			exact(t, l.b, 1400)
			for _, address := range []string{innerB4, innerB6} {
				out, err := l.A.Command(tracepath, "-n", "-m", "4", address).CombinedOutput()
				if err != nil || !strings.Contains(string(out), want) {
					t.Errorf("tracepath %s, %v:\n%s", address, err, out)
				}
			}
		})
	}
}
