package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket is one bound socket of one address family. Outboxes write to it, an
// Inbox reads from it; any number of the former and one of the latter may be
// used at once.
type socket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	v6   bool
	// gso says that the kernel cuts one buffer into datagrams (UDP_SEGMENT).
	// It is cleared when the device behind it turns out not to. Outlets of one
	// family share it.
	gso *atomic.Bool
	// full counts the outboxes that wait for room, or for their turn to do so. The
	// turns come in order.
	full atomic.Int32
	turn sync.Mutex
	// gro says that the kernel joins datagrams on receipt (UDP_GRO).
	gro bool
	// errors is what takes the ICMP messages out of the error queue.
	errors errorQueue
	outlet
}

// listenFamily opens the sockets of one family. The first is bound alone, so
// that a port in use by another process is an error; those after it share it.
func listenFamily(network string, host netip.Addr, port uint16, cfg Config) (sockets []*socket, err error) {
	defer func() {
		if err != nil {
			for _, s := range sockets {
				s.conn.Close()
			}
			sockets = nil
		}
	}()
	for len(sockets) < cfg.Sockets {
		s, err := listenSocket(network, host, port, len(sockets) > 0, cfg)
		if err != nil {
			return sockets, err
		}
		sockets = append(sockets, s)
		port = s.addr().Port()
		if len(sockets) == 1 && cfg.Sockets > 1 {
			if err := s.share(); err != nil {
				return sockets, fmt.Errorf("share UDP port %d: %w", port, err)
			}
		}
	}
	return sockets, nil
}

func listenSocket(network string, host netip.Addr, port uint16, shared bool, cfg Config) (*socket, error) {
	s := &socket{v6: network == "udp6", gso: new(atomic.Bool)}
	absent := false
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if cerr := raw.Control(func(fd uintptr) {
			if err = s.setOptions(int(fd), cfg); err == nil && absent {
				err = s.setFreebind(int(fd))
			}
			if err == nil && shared {
				err = setReusePort(int(fd))
			}
		}); cerr != nil {
			return cerr
		}
		return err
	}}
	address := net.JoinHostPort(host.String(), strconv.Itoa(int(port)))
	conn, err := config.ListenPacket(context.Background(), network, address)
	if errors.Is(err, unix.EADDRNOTAVAIL) && !host.IsUnspecified() {
		absent = true
		conn, err = config.ListenPacket(context.Background(), network, address)
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("listen on UDP %s: %w (%s)", address, unix.EADDRINUSE, holderOf(netip.AddrPortFrom(host, port)))
	} else if err != nil {
		return nil, fmt.Errorf("listen on UDP %s: %w", address, err)
	}
	s.conn = conn.(*net.UDPConn)
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen on UDP %s: %w", address, err)
	}
	return s, nil
}

// share lets other sockets of this process be bound to the same port.
func (s *socket) share() (err error) {
	if cerr := s.raw.Control(func(fd uintptr) { err = setReusePort(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

// setFreebind lets the socket be bound to an address that the host does not have
// yet. The kernel then receives and sends on it as soon as the host has it, as it
// does when an address goes and comes back. To bind later, when the kernel tells
// of the address, would be a second way to the same end, and leave the port to
// others until then.
func (s *socket) setFreebind(fd int) error {
	if s.v6 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
}

func setReusePort(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }

// setOptions makes the kernel set DF and keep out of path MTU discovery: it
// neither fragments nor believes ICMP (RFC 8899 section 4.5), but hands the ICMP
// messages to us.
func (s *socket) setOptions(fd int, cfg Config) error {
	discover := unix.IP_PMTUDISC_PROBE
	if !cfg.DontFragment {
		discover = unix.IP_PMTUDISC_DONT
	}
	type option struct {
		name              string
		level, opt, value int
	}
	options := []option{
		{"IP_MTU_DISCOVER", unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, discover},
		{"IP_PKTINFO", unix.IPPROTO_IP, unix.IP_PKTINFO, 1},
		{"IP_RECVERR", unix.IPPROTO_IP, unix.IP_RECVERR, 1},
		{"IP_RECVTOS", unix.IPPROTO_IP, unix.IP_RECVTOS, 1},
		{"IP_RECVFRAGSIZE", unix.IPPROTO_IP, unix.IP_RECVFRAGSIZE, 1},
	}
	if s.v6 {
		options = []option{
			{"IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
			{"IPV6_MTU_DISCOVER", unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE},
			{"IPV6_DONTFRAG", unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1},
			{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
			{"IPV6_RECVERR", unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1},
			{"IPV6_RECVTCLASS", unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1},
			{"IPV6_RECVFRAGSIZE", unix.IPPROTO_IPV6, unix.IPV6_RECVFRAGSIZE, 1},
		}
	}
	if cfg.Mark != 0 {
		options = append(options, option{"SO_MARK", unix.SOL_SOCKET, unix.SO_MARK, int(cfg.Mark)})
	}
	for _, option := range options {
		if err := unix.SetsockoptInt(fd, option.level, option.opt, option.value); err != nil {
			return fmt.Errorf("set %s: %w", option.name, err)
		}
	}
	setBuffers(fd, cfg)
	if !cfg.Offload {
		return nil
	}
	gso, gro := offload(fd)
	s.gso.Store(gso)
	s.gro = gro
	return nil
}

// offload has the kernel join datagrams on receipt, and says whether it does (gro), and
// whether it cuts runs when they are sent (gso).
func offload(fd int) (gso, gro bool) {
	_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	return err == nil, unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil
}

// buffers returns the sizes in bytes of the socket buffers that the kernel has
// granted.
func (s *socket) buffers() (receive, send int) {
	_ = s.raw.Control(func(fd uintptr) { receive, send = granted(int(fd)) })
	return receive, send
}

// granted is buffers of a file descriptor. The kernel reports twice what was asked for,
// which it keeps for its own bookkeeping (socket(7)).
func granted(fd int) (receive, send int) {
	receive, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	send, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	return receive / 2, send / 2
}

// addr returns where it listens. What an outlet sends comes from there, too.
func (s *socket) addr() netip.AddrPort {
	if s.listen.IsValid() {
		return s.listen
	}
	return s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// setBuffers asks for the sizes of a configuration.
func setBuffers(fd int, cfg Config) {
	setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, cfg.ReceiveBuffer)
	setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, cfg.SendBuffer)
}

// setBuffer sets the size of a socket buffer in bytes. Who is not privileged gets
// what the limit allows.
func setBuffer(fd, force, ask, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, ask, size)
	}
}
