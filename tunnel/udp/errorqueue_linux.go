package udp

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errorQueue takes the ICMP messages out of a socket's error queue (ip(7),
// IP_RECVERR). Any goroutine may do so. The kernel tells of a message by failing a
// call of any goroutine that uses the socket.
type errorQueue struct {
	// remote counts the messages from the queue that came from other hosts.
	remote atomic.Uint64

	mu      sync.Mutex // guards what follows
	name    sockaddr
	quote   [64]byte
	control ancillary
}

// maxDrain bounds the work of one call of drain.
const maxDrain = 256

// drain hands every message in the queue of the kinds that ICMP has to f, and throws the
// rest away. It does not wait. It returns how many messages there were.
func (q *errorQueue) drain(s *socket, f func(ICMP)) (messages int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	_ = s.raw.Control(func(fd uintptr) {
		for range maxDrain {
			m, ok := q.next(int(fd))
			if !ok {
				return
			}
			messages++
			if m.Kind != 0 {
				f(m)
			}
		}
	})
	return messages
}

// next takes one message out of the queue, without a Kind if it is of another; not ok
// means that the queue is empty.
func (q *errorQueue) next(fd int) (m ICMP, ok bool) {
	vector := unix.Iovec{Base: &q.quote[0]}
	vector.SetLen(len(q.quote))
	header := unix.Msghdr{
		Name:    (*byte)(unsafe.Pointer(&q.name.raw)),
		Namelen: uint32(unsafe.Sizeof(q.name.raw)),
		Iov:     &vector,
		Control: &q.control.bytes()[0],
	}
	header.SetIovlen(1)
	header.SetControllen(ancillarySize)
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&header)), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if errno != 0 {
		return m, errno == unix.EINTR
	}
	m, origin := parseExtendedError(q.control.bytes()[:header.Controllen])
	if origin != unix.SO_EE_ORIGIN_LOCAL {
		q.remote.Add(1)
	}
	if m.Kind != 0 {
		m.To, m.Quote = q.name.addrPort(), q.quote[:n]
	}
	return m, true
}

// parseExtendedError finds the kind, the sender and the MTU of a message in the ancillary
// data of an error: struct sock_extended_err of ip(7) and ipv6(7), and behind it the
// address of the sender. There is no Kind if the error is another.
func parseExtendedError(oob []byte) (m ICMP, origin uint8) {
	const (
		size = int(unsafe.Sizeof(unix.SockExtendedErr{}))
		// Types and codes of RFC 792 and 4443. The other code of Time Exceeded is about
		// fragments.
		icmpUnreachable, icmpFragmentationNeeded = 3, 4
		icmpTimeExceeded, icmpInTransit          = 11, 0
		icmp6PacketTooBig, icmp6TimeExceeded     = 2, 3
	)
	for len(oob) >= unix.CmsgLen(0) {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		v4 := header.Level == unix.IPPROTO_IP && header.Type == unix.IP_RECVERR
		v6 := header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_RECVERR
		if (v4 || v6) && len(data) >= size {
			// errno(4) origin(1) type(1) code(1) pad(1) info(4) data(4)
			origin, kind, code := data[4], data[5], data[6]
			v4, v6 = v4 && origin == unix.SO_EE_ORIGIN_ICMP, v6 && origin == unix.SO_EE_ORIGIN_ICMP6
			switch {
			case v4 && kind == icmpUnreachable && code == icmpFragmentationNeeded, v6 && kind == icmp6PacketTooBig:
				m.Kind, m.MTU = PTB, int(binary.NativeEndian.Uint32(data[8:]))
			case (v4 && kind == icmpTimeExceeded || v6 && kind == icmp6TimeExceeded) && code == icmpInTransit:
				m.Kind = TimeExceeded
			default:
				return m, origin
			}
			m.By = offender(data[size:])
			return m, origin
		}
		oob = rest
	}
	return m, unix.SO_EE_ORIGIN_NONE
}

// offender returns the address in a struct sockaddr; invalid: there is none. A zone is
// left out.
func offender(data []byte) netip.Addr {
	const at4, at6 = 4, 8 // sin_addr, sin6_addr
	if len(data) < unix.SizeofSockaddrInet4 {
		return netip.Addr{}
	}
	switch family := binary.NativeEndian.Uint16(data); {
	case family == unix.AF_INET:
		return netip.AddrFrom4([4]byte(data[at4:]))
	case family == unix.AF_INET6 && len(data) >= at6+16:
		return netip.AddrFrom16([16]byte(data[at6:])).Unmap()
	}
	return netip.Addr{}
}
