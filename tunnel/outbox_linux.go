package tunnel

import (
	"unsafe"

	"golang.org/x/sys/unix"

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
	// inner is what the peer's traffic grows by: the inner packets in the
	// train, and their bytes.
	inner struct{ packets, bytes int }
}

func (t *train) segments() int { return datagrams(t.end-t.start, t.segment) }

// datagrams returns how many there are in so many bytes.
func datagrams(bytes, segment int) int { return (bytes + segment - 1) / segment }

// part is what one message carries of a train: all of it, or one datagram.
type part struct {
	train      int // index
	start, end int // in the outbox's buffer
}

// outbox gathers datagrams and sends them with as few system calls as the
// kernel allows. Nothing stays in it: whoever puts datagrams in calls flush
// before it waits for anything. One goroutine uses it.
type outbox struct {
	lane    lane
	sockets *udpSockets
	events  sendEvents
	buffer  []byte // its length is what waits
	trains  []train
	count   int  // of the datagrams that wait
	waited  bool // for a full socket, since somebody last looked

	// The messages of one sendmmsg, and behind them the spare one.
	messages [outboxMessages + 1]mmsghdr
	vectors  [outboxMessages + 1]unix.Iovec
	control  [outboxMessages + 1]ancillary
	parts    [outboxMessages + 1]part

	// What the system call gets from and leaves for send; see inbox.
	call     func(fd uintptr) bool
	callOnce func(fd uintptr)
	first    int
	end      int
	errno    unix.Errno
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

func newOutbox(l lane, sockets *udpSockets, events sendEvents) *outbox {
	o := &outbox{lane: l, sockets: sockets, events: events, buffer: make([]byte, 0, outboxSize), trains: make([]train, 0, outboxMessages)}
	o.call, o.callOnce = o.sendmmsg, func(fd uintptr) { o.sendmmsg(fd) }
	return o
}

// room returns the place for the next datagram, with room for size bytes,
// which flushes the outbox if it is full. The datagram is appended to it, and
// then put.
func (o *outbox) room(size int) []byte {
	if cap(o.buffer)-len(o.buffer) < size || o.count >= o.lane.most {
		o.flush()
	}
	return o.buffer[len(o.buffer):]
}

// put takes the n bytes that were appended to what room returned as one
// datagram to a peer. If it is data, log is that of its SA, and seq its number.
// It returns the train that the datagram is in, for the caller to count what it
// holds.
func (o *outbox) put(p *peer, to *path, tos uint8, n int, log *pmtud.SentLog, seq uint32) *train {
	start := len(o.buffer)
	if len(o.trains) == cap(o.trains) && !o.continues(to, tos, n, log) {
		datagram := o.buffer[start : start+n]
		o.flush()
		o.buffer = append(o.buffer, datagram...)
		start = 0
	}
	if log != nil {
		log.Queued(o.lane.number, seq)
	}
	o.buffer = o.buffer[:start+n]
	o.count++
	if !o.continues(to, tos, n, log) {
		o.trains = append(o.trains, train{peer: p, to: to, tos: tos, start: start, end: start + n, segment: n, log: log})
		return &o.trains[len(o.trains)-1]
	}
	t := &o.trains[len(o.trains)-1]
	t.end = start + n
	t.closed = n < t.segment
	return t
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

// flush sends everything. In a lane that waits it does so while the socket is
// full, so that whoever fills the outbox is slowed down by it. The error is that
// of the last datagram that was refused, after the events were told and the drop
// counted; the others were sent all the same.
func (o *outbox) flush() (refused error) {
	for i := range o.trains {
		// Before anybody can have seen them arrive.
		if t := &o.trains[i]; t.inner.packets > 0 {
			t.peer.tx.add(t.inner.packets, t.inner.bytes)
		}
	}
	for i, start := 0, 0; i < len(o.trains); {
		socket := o.sockets.of(o.trains[i].to.endpoint.Addr(), o.lane)
		if socket == nil {
			refused = o.drop(&o.trains[i], o.trains[i].segments(), unix.EAFNOSUPPORT, false)
			i++
			continue
		}
		// As many messages as go to one socket at once: each a train, or
		// where the kernel does not cut, a datagram.
		n := 0
		for n < outboxMessages && i < len(o.trains) && o.sockets.of(o.trains[i].to.endpoint.Addr(), o.lane) == socket {
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
			t.log.Flushed(o.lane.number)
		}
	}
	o.buffer, o.trains, o.count = o.buffer[:0], o.trains[:0], 0
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
// message that was refused; those before it were sent. EAGAIN says that the
// socket is full and the lane does not wait.
func (o *outbox) send(socket *udpSocket, first, end int) unix.Errno {
	o.first, o.end, o.errno = first, end, 0
	if !o.lane.waits || socket.full.Load() == 0 {
		// Any number of lanes may send at once.
		if err := socket.raw.Control(o.callOnce); err != nil {
			return unix.EBADF // closed
		}
		if o.errno != 0 || o.first == end {
			return o.errno
		}
		if !o.lane.waits {
			return unix.EAGAIN
		}
	}
	// One lane waits at a time, and sends all it has. Those that come meanwhile
	// queue behind it: to a socket with a little room they would send for ever,
	// and it is called only when half of the buffer is free. The queue is ours,
	// since that of RawConn lets a lane in again before those that wait.
	o.waited = true
	socket.full.Add(1)
	socket.turn.Lock()
	err := socket.raw.Write(o.call)
	socket.turn.Unlock()
	socket.full.Add(-1)
	if err != nil {
		return unix.EBADF
	}
	return o.errno
}

// sendmmsg makes the system call until all is sent; false means that the socket
// is full. It is raw because it does not block.
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
