package udp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// BufferSize is the room in an Outbox for datagrams that wait to be sent
	// together, in bytes.
	BufferSize = 4 << 16
	// maxRun is the largest run that the kernel cuts, in bytes: what fits one IP
	// packet. maxSegments is UDP_MAX_SEGMENTS of the oldest kernels that have
	// UDP_SEGMENT.
	maxRun      = 65000
	maxSegments = 64
	// batchSize is how many messages one sendmmsg takes, and how many runs an
	// Outbox holds.
	batchSize = 64
	// spare is the message that sends a datagram by itself while the others wait.
	spare = batchSize
)

// run is datagrams that leave as one buffer, which the kernel cuts.
type run struct {
	to         *Destination
	owner      any
	tos        uint8
	hops       uint8 // its TTL or hop limit, 0: the kernel's choice
	asData     bool  // it leaves by the socket of the destination's data
	start, end int   // in the outbox's buffer
	segment    int   // size of each datagram, in bytes
	closed     bool
}

func (r *run) segments() int { return datagrams(r.end-r.start, r.segment) }

// datagrams returns how many datagrams a run of the given bytes holds.
func datagrams(bytes, segment int) int { return (bytes + segment - 1) / segment }

// message is all of a run, or one datagram of it.
type message struct {
	run        int // index
	start, end int // in the outbox's buffer
}

// An Outbox gathers datagrams and sends them in batches. Nothing leaves before
// Flush, which the caller must call when Room returns nil, and before it waits for
// anything else. One goroutine uses an Outbox; any number of Outboxes use a Conn.
type Outbox struct {
	config OutboxConfig
	conn   *Conn
	buffer []byte // its length is what waits
	runs   []run
	count  int  // of the datagrams that wait
	waited bool // for a full socket, since Waited was asked
	lost   int  // bytes of the batch that were refused

	// The messages of one sendmmsg, and behind them the spare one.
	headers  [batchSize + 1]mmsghdr
	vectors  [batchSize + 1]unix.Iovec
	control  [batchSize + 1]ancillary
	messages [batchSize + 1]message

	// What the system call gets from and leaves for send; see Inbox.
	call     func(fd uintptr) bool
	callOnce func(fd uintptr)
	first    int
	end      int
	errno    unix.Errno

	// The same of measure.
	callOutQ func(fd uintptr)
	outQ     int32
}

// NewOutbox returns an empty one.
func (c *Conn) NewOutbox(config OutboxConfig) *Outbox {
	if config.Max == 0 {
		config.Max = batchSize
	}
	o := &Outbox{config: config, conn: c, buffer: make([]byte, 0, BufferSize), runs: make([]run, 0, batchSize)}
	o.call, o.callOnce, o.callOutQ = o.sendmmsg, func(fd uintptr) { o.sendmmsg(fd) }, o.siocoutq
	return o
}

// Free returns how many more datagrams may be put before the next Flush, if they
// fit.
func (o *Outbox) Free() int { return o.config.Max - o.count }

// Fits reports whether n datagrams of at most size bytes each may be put before the
// next Flush.
func (o *Outbox) Fits(n, size int) bool {
	return n <= o.Free() && n*size <= cap(o.buffer)-len(o.buffer) && n <= cap(o.runs)-len(o.runs)
}

// Room returns the place for the next datagram: of length 0, with room for size
// bytes. It is nil if the outbox must be flushed first. The datagram is appended to
// it, and then put.
func (o *Outbox) Room(size int) []byte {
	if cap(o.buffer)-len(o.buffer) < size || o.count >= o.config.Max || len(o.runs) == cap(o.runs) {
		return nil
	}
	return o.buffer[len(o.buffer):]
}

// Put takes the n bytes that were appended to what Room returned as one datagram.
// tos is the TOS octet or traffic class of its packet. The owner, which is compared
// by ==, is given to Refused; datagrams of different owners are never in one run.
func (o *Outbox) Put(n int, to *Destination, tos uint8, owner any) {
	o.put(n, run{to: to, owner: owner, tos: tos, asData: o.config.Wait})
}

// PutAsData is Put for a datagram that is to fare as the destination's data does: it
// leaves by the same socket. While that is full it leaves by the outbox's own.
func (o *Outbox) PutAsData(n int, to *Destination, tos uint8, owner any) {
	o.put(n, run{to: to, owner: owner, tos: tos, asData: true})
}

// PutHops is PutAsData for a datagram that is to get no farther than some hops, at least
// one: its TTL or hop limit. It is never in one run with others.
func (o *Outbox) PutHops(n int, to *Destination, tos, hops uint8, owner any) {
	o.put(n, run{to: to, owner: owner, tos: tos, hops: hops, asData: true})
}

// Segments reports whether the kernel cuts runs of the destination's data.
func (o *Outbox) Segments(to *Destination) bool {
	s := o.conn.socketFor(to, true)
	return s != nil && s.gso.Load()
}

// put takes a datagram of n bytes as the first of a run, or into the last one.
func (o *Outbox) put(n int, next run) {
	start := len(o.buffer)
	o.buffer = o.buffer[:start+n]
	o.count++
	if len(o.runs) > 0 {
		if r := &o.runs[len(o.runs)-1]; r.takes(n, &next) {
			r.end = start + n
			r.closed = n < r.segment
			return
		}
	}
	next.start, next.end, next.segment = start, start+n, n
	o.runs = append(o.runs, next)
}

// takes reports whether a datagram of n bytes that begins the next run may go on with
// this one.
func (r *run) takes(n int, next *run) bool {
	return !r.closed && r.hops == 0 && next.hops == 0 && r.to == next.to && r.tos == next.tos && r.owner == next.owner && r.asData == next.asData &&
		n <= r.segment && r.end+n-r.start <= maxRun && r.segments() < maxSegments
}

// Waited reports whether Flush has waited for a full socket since Waited was last
// called.
func (o *Outbox) Waited() bool {
	waited := o.waited
	o.waited = false
	return waited
}

// Flush sends everything, in order. The error is that of the last datagram that was
// refused, after Refused was told; the others were sent all the same.
func (o *Outbox) Flush() (refused error) {
	for i, start := 0, 0; i < len(o.runs); {
		s := o.socketOf(i)
		if s == nil {
			refused = o.refuse(&o.runs[i], o.runs[i].segments(), ErrNoSocket)
			i++
			continue
		}
		// A batch: as many messages as go to one socket at once.
		n := 0
		for n < batchSize && i < len(o.runs) && o.socketOf(i) == s {
			r := &o.runs[i]
			start = max(start, r.start)
			end := r.end
			if !s.gso.Load() {
				end = min(start+r.segment, r.end)
			}
			o.prepare(s, n, message{i, start, end}, true)
			n++
			if start = end; start == r.end {
				i++
			}
		}
		own := o.owns(s)
		if own {
			o.measure(s)
		}
		o.lost = 0
		taken := n
		for next := 0; next < n; {
			if why := o.try(next); why != nil {
				refused = o.skip(next, why)
				next++
				continue
			}
			errno := o.send(s, next, o.nextSuspect(next+1, n))
			o.taken(next, o.first)
			if next = o.first; errno == 0 {
				continue
			}
			if m := o.messages[o.first]; errno == unix.EAGAIN && o.turnAway(s, &o.runs[m.run]) {
				i, start, taken = m.run, m.start, next // and those behind it
				break
			}
			if err := o.retry(s, next, errno); err != nil {
				refused = err
				o.refused(next, err)
			} else {
				o.taken(next, next+1)
			}
			next++
		}
		if own {
			o.account(s, taken)
		}
	}
	clear(o.runs) // the outbox keeps no owner alive
	o.buffer, o.runs, o.count = o.buffer[:0], o.runs[:0], 0
	return refused
}

// socketOf returns the socket by which a run leaves.
func (o *Outbox) socketOf(i int) *socket {
	return o.conn.socketFor(o.runs[i].to, o.runs[i].asData)
}

// prepare fills in element n of the batch, for a socket. With source it leaves from
// the address that its destination names. It leaves by the interface in any case.
func (o *Outbox) prepare(s *socket, n int, m message, source bool) {
	r := &o.runs[m.run]
	o.messages[n] = m
	o.vectors[n].Base = &o.buffer[m.start]
	o.vectors[n].SetLen(m.end - m.start)
	oob := o.control[n].bytes()[:0]
	if source && r.to.source != nil {
		oob = append(oob, r.to.source...)
	} else {
		oob = appendSource(oob, s.v6, s.source, r.to.index)
	}
	if m.end-m.start > r.segment {
		oob = appendSegment(oob, r.segment)
	}
	if r.tos != 0 {
		oob = appendTOS(oob, r.to.IPv6(), r.tos)
	}
	if r.hops != 0 {
		oob = appendHops(oob, r.to.IPv6(), r.hops)
	}
	h := &o.headers[n].header
	*h = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&r.to.sockaddr.raw)), Namelen: r.to.sockaddr.len, Iov: &o.vectors[n]}
	h.SetIovlen(1)
	if len(oob) > 0 {
		h.Control = &oob[0]
		h.SetControllen(len(oob))
	}
}

// send sends the messages from first to before end. On an error o.first is the
// message that was refused; those before it were sent. EAGAIN says that the
// socket is full and not to be waited for.
func (o *Outbox) send(s *socket, first, end int) unix.Errno {
	o.first, o.end, o.errno = first, end, 0
	if !o.config.Wait || s.full.Load() == 0 {
		// Any number of outboxes may send at once.
		if err := s.raw.Control(o.callOnce); err != nil {
			return unix.EBADF // closed
		}
		if o.errno != 0 || o.first == end {
			return o.errno
		}
	}
	// One outbox waits at a time, and sends everything in it. Those that come
	// meanwhile queue behind it: otherwise they would use up each bit of room that
	// the socket has, and the kernel wakes the first only when half of the buffer
	// is free. The queue is ours, since RawConn's lets an outbox in again before
	// those that wait.
	s.full.Add(1) // before remedy looks: outlets.spare looks in the other order
	defer s.full.Add(-1)
	if o.remedy(s) != wait {
		return unix.EAGAIN
	}
	o.waited = true
	s.turn.Lock()
	err := s.raw.Write(o.call)
	s.turn.Unlock()
	if err != nil {
		return unix.EBADF
	}
	return o.errno
}

// sendmmsg makes the system call until all is sent; false means that the socket
// is full. It is raw because it does not block.
func (o *Outbox) sendmmsg(fd uintptr) bool {
	for o.first < o.end {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&o.headers[o.first])),
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
