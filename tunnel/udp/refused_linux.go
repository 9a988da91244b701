package udp

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// This file deals with messages of an Outbox that the kernel has refused.

// maxAttempts is how often a datagram is sent again because of errors that may
// belong to other datagrams.
const maxAttempts = 8

// retry deals with message n, which was refused. The kernel gives a reason only
// for the first message of a call; a message refused behind others is tried once
// more at the front before it gets here.
func (o *Outbox) retry(s *socket, n int, errno unix.Errno) error {
	defer func() { o.first = n }()
	m := o.messages[n]
	r := &o.runs[m.run]
	all := datagrams(m.end-m.start, r.segment)
	if isFinal(errno) {
		return o.refuse(r, all, reason(errno, false))
	}
	errno, doubtful := o.again(s, n)
	if errno == 0 {
		return nil
	}
	if r.to.exact && r.to.source != nil && saysNoSource(errno, r.to.local) {
		return o.refuse(r, all, ErrNoSource)
	}
	if !r.to.exact && r.to.source != nil && (errno == unix.EINVAL || errno == unix.EADDRNOTAVAIL || errno == unix.ENETUNREACH) {
		// The host may have lost the address that the datagram is to leave from.
		o.prepare(s, n, m, false)
		if o.send(s, n, n+1) == 0 {
			return nil
		}
	}
	if all == 1 || !isAboutRuns(errno) {
		return o.refuse(r, all, reason(errno, doubtful))
	}
	err := o.singly(s, m.run)
	if err == nil && errno != unix.EMSGSIZE && s.gso.CompareAndSwap(true, false) {
		// The kernel cannot cut for this device: one without checksum
		// offload, for instance.
		o.config.NoSegmentation(s.addr(), errno)
	}
	return err
}

// saysNoSource reports whether a datagram was refused because the host does not have the
// address that it is to leave from. Of an IPv4 address the kernel says no more than of a
// place to which there is no route.
func saysNoSource(errno unix.Errno, source netip.Addr) bool {
	if errno == unix.ENETUNREACH && source.Is4() {
		return !hostHas(source)
	}
	return errno == unix.EINVAL || errno == unix.EADDRNOTAVAIL
}

// hostHas reports whether an IPv4 address is one of the host's: a socket can be bound to
// it. If there cannot be a socket, it is.
func hostHas(local netip.Addr) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet4{Addr: local.As4()}) != unix.EADDRNOTAVAIL
}

// isFinal reports whether a message that was refused with errno would be so
// again: the socket is closed, or full and the outbox does not wait; a queue of
// the host is full and the datagrams without room are lost, as in any router; or
// the administrator does not let it pass.
func isFinal(errno unix.Errno) bool {
	switch errno {
	case unix.EBADF, unix.EAGAIN, unix.ENOBUFS, unix.EPERM, unix.EACCES:
		return true
	}
	return false
}

// isAboutRuns reports whether the datagrams of a run that was refused with errno
// may be accepted one by one.
func isAboutRuns(errno unix.Errno) bool {
	switch errno {
	case unix.EMSGSIZE, unix.EIO, unix.EINVAL, unix.EOPNOTSUPP:
		return true
	}
	return false
}

// again sends a message that was refused once more. An ICMP error that is
// pending on the socket is returned by the next call, whatever caused it, and
// that call has sent nothing. So again empties the error queue, and believes an
// errno only when it comes twice in a row with no message from another host in
// the queue: any host can send ICMP. (Once is not enough: the kernel queues a
// message and sets the pending error in two steps.) doubtful says that this never
// happened: an ICMP message may have been the reason each time.
func (o *Outbox) again(s *socket, n int) (errno unix.Errno, doubtful bool) {
	clean := 0
	for range maxAttempts {
		s.errors.drain(s, o.config.ICMP)
		before := s.errors.remote.Load()
		if errno = o.send(s, n, n+1); errno == 0 || isFinal(errno) {
			return errno, false
		}
		s.errors.drain(s, o.config.ICMP)
		if s.errors.remote.Load() != before {
			clean = 0
		} else if clean++; clean == 2 {
			return errno, false
		}
	}
	return errno, true
}

// singly sends each datagram of run i by itself, in the spare message. Once one is
// too large the others of its size are dropped unseen.
func (o *Outbox) singly(s *socket, i int) (refused error) {
	r := &o.runs[i]
	for start := r.start; start < r.end; start += r.segment {
		o.prepare(s, spare, message{i, start, min(start+r.segment, r.end)}, true)
		errno, doubtful := o.again(s, spare)
		if errno == 0 {
			continue
		}
		why := reason(errno, doubtful)
		lost := 1
		if why == ErrTooBig {
			lost = max(1, (r.end-start)/r.segment)
			start += (lost - 1) * r.segment
		}
		refused = o.refuse(r, lost, why)
	}
	return refused
}

// refuse tells of datagrams of a run that the kernel has refused, and returns why.
func (o *Outbox) refuse(r *run, lost int, why error) error {
	o.lost += lost * r.segment
	o.config.Refused(r.owner, lost, r.segment, why)
	return why
}

// size returns that of message n's datagrams, in bytes.
func (o *Outbox) size(n int) int {
	m := o.messages[n]
	return min(m.end-m.start, o.runs[m.run].segment)
}

// suspect reports whether message n is data of a size that the kernel has refused, so that
// it may have to rest. Such a message is sent by itself.
func (o *Outbox) suspect(n int) bool {
	return o.config.Wait && o.runs[o.messages[n].run].to.size.concerns(o.size(n))
}

// nextSuspect returns the first such message from n to before end; end: there is none.
func (o *Outbox) nextSuspect(n, end int) int {
	for n < end && !o.suspect(n) {
		n++
	}
	return n
}

// try returns why message n is not to be tried now; nil: it is.
func (o *Outbox) try(n int) error {
	if !o.suspect(n) {
		return nil
	}
	r := &o.runs[o.messages[n].run]
	return r.to.size.try(o.size(n), r.tos, o.conn.now())
}

// skip drops message n untried, and returns why.
func (o *Outbox) skip(n int, why error) error {
	m := o.messages[n]
	r := &o.runs[m.run]
	return o.refuse(r, datagrams(m.end-m.start, r.segment), why)
}

// refused takes note that the kernel has refused message n.
func (o *Outbox) refused(n int, why error) {
	if r := &o.runs[o.messages[n].run]; o.config.Wait {
		r.to.size.refused(o.size(n), r.tos, why, o.conn.now())
	}
}

// taken takes note that the kernel has taken the messages from n to before end.
func (o *Outbox) taken(n, end int) {
	for ; n < end && o.config.Wait; n++ {
		r := &o.runs[o.messages[n].run]
		r.to.size.taken(o.size(n), r.tos)
	}
}

// reason says what an errno means.
func reason(errno unix.Errno, doubtful bool) error {
	switch {
	case errno == unix.EMSGSIZE && doubtful:
		return ErrDoubtful
	case errno == unix.EMSGSIZE:
		return ErrTooBig
	case errno == unix.ENOBUFS:
		return ErrNoBuffers
	case errno == unix.EAGAIN:
		return ErrFull
	}
	return errno
}
