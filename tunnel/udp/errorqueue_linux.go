package udp

import (
	"encoding/binary"
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

// drain hands every PTB in the queue to f and throws the rest away. It does
// not wait. It returns how many messages there were.
func (q *errorQueue) drain(s *socket, f func(PTB)) (messages int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	_ = s.raw.Control(func(fd uintptr) {
		for range maxDrain {
			ptb, isPTB, ok := q.next(int(fd))
			if !ok {
				return
			}
			messages++
			if isPTB {
				f(ptb)
			}
		}
	})
	return messages
}

// next takes one message out of the queue; not ok means that it is empty.
func (q *errorQueue) next(fd int) (ptb PTB, isPTB, ok bool) {
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
		return ptb, false, errno == unix.EINTR
	}
	mtu, origin, isPTB := parseExtendedError(q.control.bytes()[:header.Controllen])
	if origin != unix.SO_EE_ORIGIN_LOCAL {
		q.remote.Add(1)
	}
	if !isPTB {
		return ptb, false, true
	}
	return PTB{To: q.name.addrPort(), MTU: mtu, Quote: q.quote[:n]}, true, true
}

// parseExtendedError finds the MTU in the ancillary data of an error: struct
// sock_extended_err of ip(7) and ipv6(7). isPTB says that the error is a PTB
// that came by ICMP.
func parseExtendedError(oob []byte) (mtu int, origin uint8, isPTB bool) {
	const (
		icmpUnreachable, icmpFragmentationNeeded = 3, 4
		icmp6PacketTooBig                        = 2
	)
	for len(oob) >= unix.CmsgLen(0) {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		v4 := header.Level == unix.IPPROTO_IP && header.Type == unix.IP_RECVERR
		v6 := header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_RECVERR
		if (v4 || v6) && len(data) >= int(unsafe.Sizeof(unix.SockExtendedErr{})) {
			// errno(4) origin(1) type(1) code(1) pad(1) info(4) data(4)
			origin, kind, code := data[4], data[5], data[6]
			isPTB = v4 && origin == unix.SO_EE_ORIGIN_ICMP && kind == icmpUnreachable && code == icmpFragmentationNeeded ||
				v6 && origin == unix.SO_EE_ORIGIN_ICMP6 && kind == icmp6PacketTooBig
			return int(binary.NativeEndian.Uint32(data[8:])), origin, isPTB
		}
		oob = rest
	}
	return 0, unix.SO_EE_ORIGIN_NONE, false
}
