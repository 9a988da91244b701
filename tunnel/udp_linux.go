package tunnel

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

const (
	// receiveBuffer is asked for, in bytes: what may come while the receiver
	// does not get to run. The kernel may grant less (net.core.rmem_max) unless
	// the process may force it.
	receiveBuffer = 4 << 20
	// sendBuffer is likewise (net.core.wmem_max). It bounds what waits in the
	// queues of the host's own interface: large enough to keep that busy while
	// the transmitter does not get to run, and small enough that nothing waits
	// for long. The kernel doubles it for its own bookkeeping, and superpackets
	// need little of that, so it holds twice as much of them: 44 ms at 100
	// Mbit/s.
	sendBuffer = 256 << 10
	// maxDatagram is the largest UDP payload there can be, in bytes.
	maxDatagram = 65535
)

// udpSocket is one bound socket of one address family. Outboxes write to it, an
// inbox reads from it; any number of the former and one of the latter may be
// used at once.
type udpSocket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	v6   bool
	// gso says that the kernel cuts one buffer into datagrams (UDP_SEGMENT).
	// It is cleared when the device behind it turns out not to.
	gso atomic.Bool
	// full counts the outboxes that wait for room, or for their turn to do so,
	// which comes to each in its order.
	full atomic.Int32
	turn sync.Mutex
	// gro says that the kernel joins datagrams on receipt (UDP_GRO).
	gro bool
	// errors is what takes the ICMP messages out of the error queue.
	errors errorQueue
}

// udpSockets are the sockets of a tunnel: for each address family that the host
// has the same number, all on the same port. The kernel gives all datagrams
// that come from one place, and ICMP about what went there, to the same of
// them, so that nothing is reordered. Data leaves through the first.
type udpSockets struct {
	v4, v6 []*udpSocket // empty where the host lacks the family or it was not asked for
}

// socketOptions are what the configuration says of the sockets.
type socketOptions struct {
	// df sets DF in IPv4 packets. Without it, whoever has to may fragment them
	// (RFC 4301 section 8.1).
	df bool
	// offload lets the kernel cut and join datagrams, if it can.
	offload bool
	// queues is how many sockets there are of each family, at least 1.
	queues int
}

// listenUDP binds host (all addresses if it is invalid) and port, 0 for any.
func listenUDP(host netip.Addr, port uint16, o socketOptions) (_ *udpSockets, err error) {
	s := new(udpSockets)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if !host.Is6() {
		addr := host
		if !addr.IsValid() {
			addr = netip.IPv4Unspecified()
		}
		if s.v4, err = listenUDPFamily("udp4", addr, port, o); err != nil {
			return nil, err
		}
		port = s.port()
	}
	if !host.Is4() {
		addr := host
		if !addr.IsValid() {
			addr = netip.IPv6Unspecified()
		}
		s.v6, err = listenUDPFamily("udp6", addr, port, o)
		if noIPv6 := errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL); err != nil && (host.IsValid() || !noIPv6) {
			return nil, err
		}
	}
	return s, nil
}

// listenUDPFamily opens the sockets of one family. The first is bound alone, so
// that a port that somebody else has is an error; those after it share it.
func listenUDPFamily(network string, host netip.Addr, port uint16, o socketOptions) (sockets []*udpSocket, err error) {
	defer func() {
		if err != nil {
			for _, s := range sockets {
				s.conn.Close()
			}
			sockets = nil
		}
	}()
	for len(sockets) < o.queues {
		s, err := listenUDPSocket(network, host, port, len(sockets) > 0, o)
		if err != nil {
			return sockets, err
		}
		sockets = append(sockets, s)
		port = s.port()
		if len(sockets) == 1 && o.queues > 1 {
			if err := s.share(); err != nil {
				return sockets, fmt.Errorf("share UDP port %d: %w", port, err)
			}
		}
	}
	return sockets, nil
}

func listenUDPSocket(network string, host netip.Addr, port uint16, shared bool, o socketOptions) (*udpSocket, error) {
	s := &udpSocket{v6: network == "udp6"}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if cerr := raw.Control(func(fd uintptr) {
			if err = s.setOptions(int(fd), o); err == nil && shared {
				err = setReusePort(int(fd))
			}
		}); cerr != nil {
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
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen on UDP %s: %w", address, err)
	}
	return s, nil
}

// share lets other sockets of this process be bound to the same port.
func (s *udpSocket) share() (err error) {
	if cerr := s.raw.Control(func(fd uintptr) { err = setReusePort(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

func setReusePort(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }

// setOptions makes the kernel set DF and keep out of path MTU discovery: it
// neither fragments nor believes ICMP (RFC 8899 section 4.5), but hands us
// what ICMP says.
func (s *udpSocket) setOptions(fd int, o socketOptions) error {
	discover := unix.IP_PMTUDISC_PROBE
	if !o.df {
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
	for _, option := range options {
		if err := unix.SetsockoptInt(fd, option.level, option.opt, option.value); err != nil {
			return fmt.Errorf("set %s: %w", option.name, err)
		}
	}
	for _, b := range []struct{ force, ask, size int }{
		{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer},
		{unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer},
	} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, b.force, b.size) != nil {
			// Not privileged: take what the limit allows.
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, b.ask, b.size)
		}
	}
	if !o.offload {
		return nil
	}
	_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	s.gso.Store(err == nil)
	s.gro = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil
	return nil
}

// buffers returns the sizes in bytes of the socket buffers that the kernel has
// granted.
func (s *udpSocket) buffers() (receive, send int) {
	_ = s.raw.Control(func(fd uintptr) {
		// The kernel reports twice what was asked for, which it keeps for
		// its own bookkeeping (socket(7)).
		receive, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		send, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	return receive / 2, send / 2
}

func (s *udpSocket) port() uint16 {
	return s.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// port returns the port that all of the sockets have.
func (s *udpSockets) port() (port uint16) {
	s.each(func(socket *udpSocket) { port = socket.port() })
	return port
}

// of returns the socket by which a lane sends to an address, nil if there is
// none. The controller's messages have one to themselves, where there are two:
// one that is full of data has no room for them.
func (s *udpSockets) of(to netip.Addr, l lane) *udpSocket {
	family := s.v4
	if to.Is6() {
		family = s.v6
	}
	switch {
	case len(family) == 0:
		return nil
	case l.waits:
		return family[0]
	}
	return family[len(family)-1]
}

// each calls f for every open socket.
func (s *udpSockets) each(f func(*udpSocket)) {
	for _, family := range [][]*udpSocket{s.v4, s.v6} {
		for _, socket := range family {
			f(socket)
		}
	}
}

func (s *udpSockets) close() {
	s.each(func(socket *udpSocket) { socket.conn.Close() })
}

// addresses returns where the sockets listen.
func (s *udpSockets) addresses() (list []string) {
	for _, family := range [][]*udpSocket{s.v4, s.v6} {
		if len(family) > 0 {
			list = append(list, family[0].conn.LocalAddr().String())
		}
	}
	return list
}
