//go:build linux

package netlab_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

const (
	echoPort = 7777
	ipv4UDP  = 20 + 8 // bytes of header before the payload
	ipv6UDP  = 40 + 8
	soon     = 30 * time.Second       // for what must come
	quiet    = 150 * time.Millisecond // for what must not
)

// echo answers datagrams on every address of the host until the test ends.
func echo(t *testing.T, h *netlab.Host) {
	t.Helper()
	echoOn(t, h, netip.IPv6Unspecified())
}

// echoOn answers datagrams on one address. The answer is the first eight
// bytes, so that it fits where the question did not.
func echoOn(t *testing.T, h *netlab.Host, address netip.Addr) {
	t.Helper()
	conn, err := h.ListenPacket("udp", netip.AddrPortFrom(address, echoPort).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			conn.WriteTo(buf[:min(n, 8)], from)
		}
	}()
}

// dialUDP connects a datagram socket that always sets DF and never believes a
// PTB, but keeps it in its error queue.
func dialUDP(t *testing.T, from *netlab.Host, to netip.Addr) *net.UDPConn {
	t.Helper()
	conn, err := from.Dial("udp", netip.AddrPortFrom(to, echoPort).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	udp := conn.(*net.UDPConn)
	control(t, udp, func(fd int) error {
		if to.Is4() {
			return errors.Join(
				unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE),
				unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1))
		}
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE),
			unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVERR, 1))
	})
	return udp
}

func control(t *testing.T, conn *net.UDPConn, f func(fd int) error) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil || failed != nil {
		t.Fatal(errors.Join(err, failed))
	}
}

// ask sends one datagram of an IP packet with the given length and reports
// whether an answer comes in time.
func ask(t *testing.T, conn *net.UDPConn, ipLength int, within time.Duration) bool {
	t.Helper()
	header := ipv4UDP
	if remote(conn).Is6() {
		header = ipv6UDP
	}
	payload := make([]byte, ipLength-header)
	nonce := uint64(time.Now().UnixNano())
	binary.BigEndian.PutUint64(payload, nonce)
	if _, err := conn.Write(payload); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(within))
	answer := make([]byte, 1<<16)
	for {
		n, err := conn.Read(answer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false
		case err != nil: // an ICMP error is reported here once
		case n == 8 && binary.BigEndian.Uint64(answer) == nonce:
			return true
		}
	}
}

func remote(conn *net.UDPConn) netip.Addr {
	return conn.RemoteAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// nextPTB waits for a Fragmentation Needed or Packet Too Big in the error
// queue and returns the MTU it tells, or 0 when none comes.
func nextPTB(t *testing.T, conn *net.UDPConn, within time.Duration) (mtu int) {
	t.Helper()
	buf, oob := make([]byte, 2048), make([]byte, 512)
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		control(t, conn, func(fd int) error {
			_, n, _, _, err := unix.Recvmsg(fd, buf, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if errors.Is(err, unix.EAGAIN) {
				return nil
			}
			if err != nil {
				return err
			}
			messages, err := unix.ParseSocketControlMessage(oob[:n])
			for _, m := range messages {
				if len(m.Data) < int(unsafe.Sizeof(unix.SockExtendedErr{})) {
					continue
				}
				e := (*unix.SockExtendedErr)(unsafe.Pointer(&m.Data[0]))
				v4 := e.Origin == unix.SO_EE_ORIGIN_ICMP && e.Type == 3 && e.Code == 4
				v6 := e.Origin == unix.SO_EE_ORIGIN_ICMP6 && e.Type == 2
				if v4 || v6 {
					mtu = int(e.Info)
				}
			}
			return err
		})
		if mtu != 0 {
			return mtu
		}
	}
	return 0
}
