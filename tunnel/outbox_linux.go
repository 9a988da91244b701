package tunnel

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"fathom/esp"
	"fathom/pmtud"
)

const (
	// outboxSize is the room for datagrams that wait to be sent together, in
	// bytes.
	outboxSize = 4 << 16
	// maxTrain is how much the kernel cuts at once: no more than fits one IP
	// packet, and than UDP_MAX_SEGMENTS of the oldest kernels that have
	// UDP_SEGMENT.
	maxTrain         = 65000
	maxTrainSegments = 64
	// outboxMessages is how many messages one sendmmsg takes.
	outboxMessages = 64
	// spareMessage sends a datagram by itself while the others wait.
	spareMessage = outboxMessages
)

// train is a run of datagrams that are sent as one buffer, which the kernel
// cuts (UDP_SEGMENT): along one path, with one traffic class, and of one size,
// but for the last, which may be shorter.
type train struct {
	peer       *peer // whose path it is
	to         *path
	tos        uint8
	start, end int // in the outbox's buffer
	segment    int // size of each datagram, in bytes
	closed     bool
	// log is told what waits in the train, and when it has left; nil for trains
	// without data.
	log *pmtud.SentLog
}

func (t *train) segments() int { return (t.end - t.start + t.segment - 1) / t.segment }

// part is what one message carries of a train: all of it, or one datagram.
type part struct {
	train      int // index
	start, end int // in the outbox's buffer
}

// outbox gathers datagrams and sends them with as few system calls as the
// kernel allows. Nothing stays in it: whoever puts datagrams in calls flush
// before it waits for anything. One goroutine uses it.
type outbox struct {
	lane    int // as pmtud.SentLog knows it
	sockets *udpSockets
	events  sendEvents
	buffer  []byte // its length is what waits
	trains  []train

	// The messages of one sendmmsg, and behind them the spare one.
	messages [outboxMessages + 1]mmsghdr
	vectors  [outboxMessages + 1]unix.Iovec
	control  [outboxMessages + 1]ancillary
	parts    [outboxMessages + 1]part

	// What the system call gets from and leaves for send; see inbox.
	call  func(fd uintptr) bool
	first int
	end   int
	errno unix.Errno
}

// sendEvents is how an outbox tells what it learns. None of the calls blocks.
type sendEvents interface {
	// dataFlows tells that data goes to a peer whose discovery waits for it.
	dataFlows(p *peer)
	// tooBig tells that the kernel has refused a packet to a peer for its
	// size, in bytes of the outer IP packet.
	tooBig(p *peer, size int)
	// ptb passes on an ICMP message from a socket's error queue.
	ptb(m ptbMessage)
	// noSegmentation tells that UDP_SEGMENT does not work behind a socket and
	// is not used any more.
	noSegmentation(s *udpSocket, why error)
}

func newOutbox(lane int, sockets *udpSockets, events sendEvents) *outbox {
	o := &outbox{lane: lane, sockets: sockets, events: events, buffer: make([]byte, 0, outboxSize), trains: make([]train, 0, outboxMessages)}
	o.call = o.sendmmsg
	return o
}

// room returns the place for the next datagram, with room for size bytes,
// which flushes the outbox if it is full. The datagram is appended to it, and
// then put.
func (o *outbox) room(size int) []byte {
	if cap(o.buffer)-len(o.buffer) < size {
		o.flush()
	}
	return o.buffer[len(o.buffer):]
}

// put takes the n bytes that were appended to what room returned as one
// datagram to a peer. If it is data, log is that of its SA, and seq its number.
func (o *outbox) put(p *peer, to *path, tos uint8, n int, log *pmtud.SentLog, seq uint32) {
	start := len(o.buffer)
	if len(o.trains) == cap(o.trains) && !o.continues(to, tos, n, log) {
		datagram := o.buffer[start : start+n]
		o.flush()
		o.buffer = append(o.buffer, datagram...)
		start = 0
	}
	if log != nil {
		log.Waits(o.lane, seq)
	}
	o.buffer = o.buffer[:start+n]
	if !o.continues(to, tos, n, log) {
		o.trains = append(o.trains, train{peer: p, to: to, tos: tos, start: start, end: start + n, segment: n, log: log})
		return
	}
	t := &o.trains[len(o.trains)-1]
	t.end = start + n
	t.closed = n < t.segment
}

// continues reports whether a datagram of n bytes may go on with the last
// train.
func (o *outbox) continues(to *path, tos uint8, n int, log *pmtud.SentLog) bool {
	if len(o.trains) == 0 {
		return false
	}
	t := &o.trains[len(o.trains)-1]
	return !t.closed && t.to == to && t.tos == tos && t.log == log && n <= t.segment && t.end+n-t.start <= maxTrain && t.segments() < maxTrainSegments
}

// flush sends everything. It waits while the socket is full, so that whoever
// fills the outbox is slowed down by it. The error is that of the last
// datagram that was refused, after the events were told and the drop counted;
// the others were sent all the same.
func (o *outbox) flush() (refused error) {
	for i, start := 0, 0; i < len(o.trains); {
		socket := o.sockets.of(o.trains[i].to.endpoint.Addr())
		if socket == nil {
			refused = o.drop(&o.trains[i], o.trains[i].segments(), unix.EAFNOSUPPORT, false)
			i++
			continue
		}
		// As many messages as go to one socket at once: each a train, or
		// where the kernel does not cut, a datagram.
		n := 0
		for n < outboxMessages && i < len(o.trains) && o.sockets.of(o.trains[i].to.endpoint.Addr()) == socket {
			t := &o.trains[i]
			start = max(start, t.start)
			end := t.end
			if !socket.gso.Load() {
				end = min(start+t.segment, t.end)
			}
			o.message(n, part{i, start, end}, true)
			n++
			if start = end; start == t.end {
				i++
			}
		}
		for next := 0; next < n; next = o.first + 1 {
			errno := o.send(socket, next, n)
			if errno == 0 {
				break
			}
			if err := o.retry(socket, o.first, errno); err != nil {
				refused = err
			}
		}
	}
	for i := range o.trains {
		if t := &o.trains[i]; t.log != nil {
			t.log.Left(o.lane)
		}
	}
	o.buffer, o.trains = o.buffer[:0], o.trains[:0]
	return refused
}

// message fills in message n.
func (o *outbox) message(n int, m part, source bool) {
	t := &o.trains[m.train]
	o.parts[n] = m
	o.vectors[n].Base = &o.buffer[m.start]
	o.vectors[n].SetLen(m.end - m.start)
	oob := o.control[n].bytes()[:0]
	if source {
		oob = append(oob, t.to.source...)
	}
	if m.end-m.start > t.segment {
		oob = appendSegment(oob, t.segment)
	}
	if t.tos != 0 {
		oob = appendTOS(oob, t.to.endpoint.Addr().Is6(), t.tos)
	}
	h := &o.messages[n].header
	*h = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&t.to.sockaddr.raw)), Namelen: t.to.sockaddr.len, Iov: &o.vectors[n]}
	h.SetIovlen(1)
	if len(oob) > 0 {
		h.Control = &oob[0]
		h.SetControllen(len(oob))
	}
}

// send sends the messages from first to before end. On an error o.first is the
// message that was refused; those before it were sent.
func (o *outbox) send(socket *udpSocket, first, end int) unix.Errno {
	o.first, o.end, o.errno = first, end, 0
	if err := socket.raw.Write(o.call); err != nil {
		return unix.EBADF // closed
	}
	return o.errno
}

// sendmmsg makes the system call; false means that the socket is full and to
// be waited for. It is raw because it does not block.
func (o *outbox) sendmmsg(fd uintptr) bool {
	for o.first < o.end {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&o.messages[o.first])),
			uintptr(o.end-o.first), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			o.first += int(n)
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			o.errno = errno
			return true
		}
	}
	return true
}

// maxAttempts is how often a datagram is sent again because of errors that are
// somebody else's.
const maxAttempts = 8

// again sends messages that were refused once more. An ICMP error that is
// pending on the socket is returned by the next call, whatever it was about,
// and that call has sent nothing. So what is in the error queue is taken out,
// and an errno is believed only when it comes twice in a row with nothing from
// elsewhere in there: anybody can send ICMP. (Once is not enough: the kernel
// queues a message and sets the error that is pending in two steps.) doubtful
// says that there always was.
func (o *outbox) again(socket *udpSocket, n int) (errno unix.Errno, doubtful bool) {
	clean := 0
	for range maxAttempts {
		socket.errors.drain(socket, o.events.ptb)
		before := socket.errors.remote.Load()
		if errno = o.send(socket, n, n+1); errno == 0 {
			return 0, false
		}
		socket.errors.drain(socket, o.events.ptb)
		if socket.errors.remote.Load() != before {
			clean = 0
		} else if clean++; clean == 2 {
			return errno, false
		}
	}
	return errno, true
}

// retry deals with a message that was refused.
func (o *outbox) retry(socket *udpSocket, n int, errno unix.Errno) error {
	defer func() { o.first = n }()
	m := o.parts[n]
	t := &o.trains[m.train]
	if errno == unix.EBADF || errno == unix.ENOBUFS {
		// Closed; or a queue of the host is full, and what did not fit is lost,
		// as in any router. Sent again it would meet the same queue.
		return o.drop(t, (m.end-m.start+t.segment-1)/t.segment, errno, false)
	}
	errno, doubtful := o.again(socket, n)
	if errno == 0 {
		return nil
	}
	if t.to.source != nil && (errno == unix.EINVAL || errno == unix.EADDRNOTAVAIL || errno == unix.ENETUNREACH) {
		// The host may have lost the address that the peer sends to.
		o.message(n, m, false)
		if o.send(socket, n, n+1) == 0 {
			return nil
		}
	}
	if m.end-m.start <= t.segment {
		return o.drop(t, 1, errno, doubtful)
	}
	err := o.singly(socket, m.train)
	if err == nil && (errno == unix.EIO || errno == unix.EINVAL || errno == unix.EOPNOTSUPP) && socket.gso.CompareAndSwap(true, false) {
		// The kernel cannot cut for this device: one without checksum
		// offload, say.
		o.events.noSegmentation(socket, errno)
	}
	return err
}

// singly sends each datagram of a train by itself, in the spare message.
func (o *outbox) singly(socket *udpSocket, i int) (refused error) {
	t := &o.trains[i]
	for start := t.start; start < t.end; start += t.segment {
		o.message(spareMessage, part{i, start, min(start+t.segment, t.end)}, true)
		if errno, doubtful := o.again(socket, spareMessage); errno != 0 {
			refused = o.drop(t, 1, errno, doubtful)
		}
	}
	return refused
}

// drop counts datagrams that the kernel has refused, and tells of their size
// unless that may not be the reason.
func (o *outbox) drop(t *train, datagrams int, errno unix.Errno, doubtful bool) error {
	if errno == unix.EMSGSIZE && doubtful {
		errno = unix.EAGAIN
	}
	if errno == unix.EMSGSIZE {
		o.events.tooBig(t.peer, t.segment+esp.OuterOverhead(t.to.endpoint.Addr().Is6()))
	}
	if t.peer != nil {
		for range datagrams {
			t.peer.drops.count(dropReasonOf(errno))
		}
	}
	return errno
}

// dropReasonOf names the reason behind an error of sending.
func dropReasonOf(err error) dropReason {
	switch {
	case errors.Is(err, esp.ErrExhausted):
		return dropExhausted
	case errors.Is(err, unix.EMSGSIZE):
		return dropSendTooLarge
	case errors.Is(err, unix.ENOBUFS):
		return dropSendFull
	default:
		return dropSend
	}
}
