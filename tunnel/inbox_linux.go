package tunnel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// inboxSlots is how many reads an inbox has room for. Each is one
	// datagram, or up to 64 KiB of them where the kernel joins them.
	inboxSlots = 16
	// inboxSlotSize is the room for one read, in bytes.
	inboxSlotSize = 1 << 16
)

// mmsghdr is the struct of recvmmsg(2) and sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	len    uint32
}

// inbox reads datagrams in batches from a socket. What it has read stays
// where it is until the slot is used again, so that packets can be opened in
// place and handed on together. One goroutine uses it.
type inbox struct {
	socket  *udpSocket
	buffer  []byte // of all slots
	slots   [inboxSlots]mmsghdr
	vectors [inboxSlots]unix.Iovec
	names   [inboxSlots]sockaddr
	control [inboxSlots]ancillary

	// What the system call gets from and leaves for receive; the closure is
	// made once, since a new one for each call would be an allocation.
	call  func(fd uintptr) bool
	from  int
	wait  bool
	count int
	errno unix.Errno
}

func newInbox(socket *udpSocket) *inbox {
	b := &inbox{socket: socket, buffer: make([]byte, inboxSlots*inboxSlotSize)}
	for i := range b.slots {
		b.vectors[i].Base = &b.buffer[i*inboxSlotSize]
		b.vectors[i].SetLen(inboxSlotSize)
		h := &b.slots[i].header
		h.Name = (*byte)(unsafe.Pointer(&b.names[i].raw))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Control = &b.control[i].bytes()[0]
	}
	b.call = b.recvmmsg
	return b
}

// receive fills slots from the given one on and returns how many. With wait it
// returns at least one, or an error: net.ErrClosed once the socket is closed;
// after any other error the next call may succeed, since the kernel reports
// pending ICMP errors here. Without wait it may return none.
func (b *inbox) receive(from int, wait bool) (int, error) {
	b.from, b.wait, b.count, b.errno = from, wait, 0, 0
	for i := from; i < inboxSlots; i++ {
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
func (b *inbox) recvmmsg(fd uintptr) bool {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.slots[b.from])),
			uintptr(inboxSlots-b.from), unix.MSG_DONTWAIT, 0, 0)
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

// slot returns what a slot holds after receive. The bytes are the inbox's, and
// may be changed.
func (b *inbox) slot(i int) (payload []byte, a arrival) {
	s := &b.slots[i]
	a.from = b.names[i].addrPort()
	a.parseAncillary(b.control[i].bytes()[:s.header.Controllen])
	start := i * inboxSlotSize
	return b.buffer[start : start+int(s.len)], a
}
