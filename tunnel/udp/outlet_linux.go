package udp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// outlet is what a socket knows of its use as an outlet.
type outlet struct {
	list  *outlets     // of its port and address family; set once
	limit atomic.Int64 // bytes, as the kernel counts them, at which it takes no more
	level atomic.Int64 // how many were there when it was last asked, and were sent since
	sent  atomic.Int64 // all bytes of datagrams so far, while it was an own outlet
	gauge gauge
	used  atomic.Int64 // when a destination last used it as its own: Conn.now

	user *Destination // that it belongs to, nil: to none. Guarded by outlets.mu.

	// Set once, and only where it does not receive:

	listen netip.AddrPort // where its family does
	source netip.Addr     // of what goes to destinations that name none; invalid: the kernel chooses
}

// An outlet is a socket of the tunnel's port that must receive nothing. It is bound
// to a group that carries no traffic (RFC 6676), and that it has not joined. So the
// kernel does not find it when it looks for the socket of a datagram that has
// arrived, or of one that ICMP quotes, and what arrives is spread over the other
// sockets as if it were not there. What it sends leaves from the tunnel's port all
// the same, and from the address that the kernel or its ancillary data chooses,
// since no group can be a source.
var (
	outletGroup4 = netip.AddrFrom4([4]byte{233, 252, 0, 1})
	outletGroup6 = netip.MustParseAddr("ff0e::db8:0:1")
)

// openOutlet opens one that sends as the socket first does, whose family listens on
// host.
func openOutlet(first *socket, host netip.Addr, cfg Config) (*socket, error) {
	s := &socket{v6: first.v6, gso: first.gso}
	s.listen, s.source = first.addr(), host
	domain, group := unix.AF_INET, outletGroup4
	if s.v6 {
		domain, group = unix.AF_INET6, outletGroup6
	}
	// By hand: package net would bind it to all addresses instead of a group.
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket to send by: %w", err)
	}
	file := os.NewFile(uintptr(fd), "outlet")
	defer file.Close() // the conn below has its own
	cfg.ReceiveBuffer = 1
	if err := s.setOptions(fd, cfg); err != nil {
		return nil, err
	}
	if err := s.receiveNothing(fd); err != nil {
		return nil, err
	}
	if err := setReusePort(fd); err != nil {
		return nil, fmt.Errorf("share UDP port %d: %w", s.listen.Port(), err)
	}
	if err := unix.Bind(fd, sockaddrOfGroup(group, s.listen.Port())); err != nil {
		return nil, fmt.Errorf("bind a socket to send by to %v: %w", netip.AddrPortFrom(group, s.listen.Port()), err)
	}
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, err
	}
	s.conn = conn.(*net.UDPConn)
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// receiveNothing keeps away what comes for a group that another process has joined.
func (s *socket) receiveNothing(fd int) error {
	if s.v6 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0) // since Linux 4.20
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0); err != nil {
		return fmt.Errorf("set IP_MULTICAST_ALL: %w", err)
	}
	return nil
}

func sockaddrOfGroup(group netip.Addr, port uint16) unix.Sockaddr {
	if group.Is4() {
		return &unix.SockaddrInet4{Port: int(port), Addr: group.As4()}
	}
	return &unix.SockaddrInet6{Port: int(port), Addr: group.As16()}
}

// setSendBuffer asks for a send buffer of size bytes, and learns the kernel's limit.
func (s *socket) setSendBuffer(size int) {
	_ = s.raw.Control(func(fd uintptr) {
		setBuffer(int(fd), unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, size)
		limit, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
		s.limit.Store(int64(limit))
	})
}

// queued returns how many bytes of what it has sent are in the queues of the host,
// as the kernel counts them.
func (s *socket) queued() (bytes int) {
	_ = s.raw.Control(func(fd uintptr) { bytes, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return bytes
}
