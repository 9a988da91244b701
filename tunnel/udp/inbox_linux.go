package udp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// Slots is how many reads an Inbox has room for. Each is one
	// datagram, or up to 64 KiB of them where the kernel joins them.
	Slots = 16
	// slotSize is the room for one read, in bytes.
	slotSize = 1 << 16
)

// mmsghdr is the struct of recvmmsg(2) and sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	len    uint32
}

// An Inbox reads datagrams in batches from one socket. A datagram stays where it
// was read until its slot is used again, so that packets can be opened in place
// and handed on together. One goroutine uses it.
type Inbox struct {
	socket  *socket
	buffer  []byte // of all slots
	slots   [Slots]mmsghdr
	vectors [Slots]unix.Iovec
	names   [Slots]sockaddr
	control [Slots]ancillary

	// What the system call gets from and leaves for receive; the closure is
	// made once, since a new one for each call would be an allocation.
	call  func(fd uintptr) bool
	from  int
	wait  bool
	count int
	errno unix.Errno
}

func newInbox(s *socket) *Inbox {
	b := &Inbox{socket: s, buffer: make([]byte, Slots*slotSize)}
	for i := range b.slots {
		b.vectors[i].Base = &b.buffer[i*slotSize]
		b.vectors[i].SetLen(slotSize)
		h := &b.slots[i].header
		h.Name = (*byte)(unsafe.Pointer(&b.names[i].raw))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Control = &b.control[i].bytes()[0]
	}
	b.call = b.recvmmsg
	return b
}

// Receive fills slots from the given one on and returns how many. With wait it
// returns at least one, or an error: net.ErrClosed once the socket is closed.
// After another error the next call may succeed, since the kernel reports
// pending ICMP errors here: see DrainErrors. Without wait it may return none.
func (b *Inbox) Receive(from int, wait bool) (int, error) {
	b.from, b.wait, b.count, b.errno = from, wait, 0, 0
	for i := from; i < Slots; i++ {
		h := &b.slots[i].header
		h.Namelen = uint32(unsafe.Sizeof(b.names[i].raw))
		h.SetControllen(ancillarySize)
	}
	if err := b.socket.raw.Read(b.call); err != nil {
		return 0, err
	}
	if b.errno != 0 {
		return 0, b.errno
	}
	return b.count, nil
}

// recvmmsg makes the system call; false means that the socket is to be waited
// for. It is raw because it does not block, and so need not tell the scheduler
// that it might.
func (b *Inbox) recvmmsg(fd uintptr) bool {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.slots[b.from])),
			uintptr(Slots-b.from), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.count = int(n)
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return !b.wait
		default:
			b.errno = errno
			return true
		}
	}
}

// Slot returns the run that a slot holds after Receive. The bytes are the inbox's,
// and may be changed.
func (b *Inbox) Slot(i int) (payload []byte, a Arrival) {
	s := &b.slots[i]
	a.From = b.names[i].addrPort()
	a.parseAncillary(b.control[i].bytes()[:s.header.Controllen])
	start := i * slotSize
	return b.buffer[start : start+int(s.len)], a
}

// DrainErrors empties the socket's error queue. It hands every message in it of the kinds
// that ICMP has to f, and throws the rest away. It returns how many messages there were.
func (b *Inbox) DrainErrors(f func(ICMP)) (messages int) { return b.socket.errors.drain(b.socket, f) }
