package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// socketBuffer is asked for in each direction, in bytes. The kernel may
	// grant less (net.core.rmem_max, wmem_max) unless the process may force it.
	socketBuffer = 4 << 20
	// maxDatagram is the largest UDP payload there can be, in bytes.
	maxDatagram = 65535
	// sourceControlSize holds the ancillary data of one received datagram.
	sourceControlSize = 64
)

// udpSocket is one bound socket of one address family. Writing is safe from
// several goroutines, reading is not.
type udpSocket struct {
	conn *net.UDPConn
	v6   bool
	oob  [sourceControlSize]byte // the reader's
}

// udpSockets are the sockets of a tunnel: one for each address family that
// the host has, on the same port.
type udpSockets struct {
	v4, v6 *udpSocket // nil where the host lacks the family or it was not asked for
}

// listenUDP binds host (all addresses if it is invalid) and port, 0 for any.
func listenUDP(host netip.Addr, port uint16) (*udpSockets, error) {
	s := new(udpSockets)
	var err error
	if !host.Is6() {
		addr := host
		if !addr.IsValid() {
			addr = netip.IPv4Unspecified()
		}
		if s.v4, err = listenUDPFamily("udp4", addr, port); err != nil {
			return nil, err
		}
		port = s.v4.port()
	}
	if !host.Is4() {
		addr := host
		if !addr.IsValid() {
			addr = netip.IPv6Unspecified()
		}
		s.v6, err = listenUDPFamily("udp6", addr, port)
		if noIPv6 := errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL); err != nil && (host.IsValid() || !noIPv6) {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func listenUDPFamily(network string, host netip.Addr, port uint16) (*udpSocket, error) {
	s := &udpSocket{v6: network == "udp6"}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if cerr := raw.Control(func(fd uintptr) { err = s.setOptions(int(fd)) }); cerr != nil {
			return cerr
		}
		return err
	}}
	address := net.JoinHostPort(host.String(), strconv.Itoa(int(port)))
	conn, err := config.ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, fmt.Errorf("listen on UDP %s: %w", address, err)
	}
	s.conn = conn.(*net.UDPConn)
	return s, nil
}

// setOptions makes the kernel set DF and keep out of path MTU discovery: it
// neither fragments nor believes ICMP (RFC 8899 section 4.5).
func (s *udpSocket) setOptions(fd int) error {
	type option struct {
		name              string
		level, opt, value int
	}
	options := []option{
		{"IP_MTU_DISCOVER", unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE},
		{"IP_PKTINFO", unix.IPPROTO_IP, unix.IP_PKTINFO, 1},
	}
	if s.v6 {
		options = []option{
			{"IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
			{"IPV6_MTU_DISCOVER", unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE},
			{"IPV6_DONTFRAG", unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1},
			{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
		}
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			return fmt.Errorf("set %s: %w", o.name, err)
		}
	}
	for _, o := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[0], socketBuffer) != nil {
			// Not privileged: take what the limit allows.
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[1], socketBuffer)
		}
	}
	return nil
}

func (s *udpSocket) port() uint16 {
	return s.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// read receives one datagram into b. It returns its length, its sender, and
// the local address that it was sent to. The error is net.ErrClosed once the
// socket is closed; after any other error the next read may succeed, since the
// kernel reports pending ICMP errors here.
func (s *udpSocket) read(b []byte) (n int, from netip.AddrPort, local netip.Addr, err error) {
	n, oobn, _, from, err := s.conn.ReadMsgUDPAddrPort(b, s.oob[:])
	if err != nil {
		return 0, from, local, err
	}
	return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), destinationOf(s.oob[:oobn]), nil
}

// write sends one datagram along a path, or along the path's endpoint alone
// when the kernel no longer has the path's local address.
func (s *udpSockets) write(b []byte, to *path) error {
	socket := s.v4
	if to.endpoint.Addr().Is6() {
		socket = s.v6
	}
	if socket == nil {
		return fmt.Errorf("no socket for %s: %w", to.endpoint, unix.EAFNOSUPPORT)
	}
	err := socket.send(b, to.source, to.endpoint)
	if err != nil && to.source != nil && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EADDRNOTAVAIL)) {
		err = socket.send(b, nil, to.endpoint)
	}
	return err
}

// send tries twice: an ICMP error that is pending on the socket is returned by
// the next send, whatever its destination, and that send has sent nothing.
func (s *udpSocket) send(b, oob []byte, to netip.AddrPort) error {
	_, _, err := s.conn.WriteMsgUDPAddrPort(b, oob, to)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		_, _, err = s.conn.WriteMsgUDPAddrPort(b, oob, to)
	}
	return err
}

// each calls f for every open socket.
func (s *udpSockets) each(f func(*udpSocket)) {
	for _, socket := range []*udpSocket{s.v4, s.v6} {
		if socket != nil {
			f(socket)
		}
	}
}

func (s *udpSockets) close() {
	s.each(func(socket *udpSocket) { socket.conn.Close() })
}

func (s *udpSockets) addresses() (list []string) {
	s.each(func(socket *udpSocket) { list = append(list, socket.conn.LocalAddr().String()) })
	return list
}

// destinationOf finds the local address in the ancillary data of a datagram
// (IP_PKTINFO, IPV6_PKTINFO); it is invalid if there is none.
func destinationOf(oob []byte) netip.Addr {
	for len(oob) >= unix.CmsgLen(0) {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		switch {
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			// struct in_pktinfo: ifindex, spec_dst (the local address), addr.
			return netip.AddrFrom4([4]byte(data[4:8]))
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			return netip.AddrFrom16([16]byte(data[:16]))
		}
		oob = rest
	}
	return netip.Addr{}
}

// sourceControl returns the ancillary data that makes the kernel send from
// the given address, nil if it is invalid.
func sourceControl(local netip.Addr) []byte {
	switch {
	case local.Is4():
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: local.As4()})
	case local.Is6():
		return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: local.As16()})
	}
	return nil
}
