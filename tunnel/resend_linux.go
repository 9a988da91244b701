package tunnel

import (
	"errors"

	"golang.org/x/sys/unix"

	"fathom/esp"
)

// What an outbox does about a message that the kernel has refused.

// maxAttempts is how often a datagram is sent again because of errors that are
// somebody else's.
const maxAttempts = 8

// retry deals with a message that was refused. The kernel tells why only of the
// first of those that it was given; what it refuses behind others is tried once
// more by itself before it gets here.
func (o *outbox) retry(socket *udpSocket, n int, errno unix.Errno) error {
	defer func() { o.first = n }()
	m := o.parts[n]
	t := &o.trains[m.train]
	all := datagrams(m.end-m.start, t.segment)
	if isFinal(errno) {
		return o.drop(t, all, errno, false)
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
	if all == 1 || !isAboutTrains(errno) {
		return o.drop(t, all, errno, doubtful)
	}
	err := o.singly(socket, m.train)
	if err == nil && errno != unix.EMSGSIZE && socket.gso.CompareAndSwap(true, false) {
		// The kernel cannot cut for this device: one without checksum
		// offload, say.
		o.events.noSegmentation(socket, errno)
	}
	return err
}

// isFinal reports whether a message that was refused with errno would be so
// again: the socket is closed, or full and the lane does not wait; a queue of
// the host is full, and what did not fit is lost, as in any router; or the
// administrator does not let it pass.
func isFinal(errno unix.Errno) bool {
	switch errno {
	case unix.EBADF, unix.EAGAIN, unix.ENOBUFS, unix.EPERM, unix.EACCES:
		return true
	}
	return false
}

// isAboutTrains reports whether the datagrams of a train that was refused with
// errno may be accepted one by one.
func isAboutTrains(errno unix.Errno) bool {
	switch errno {
	case unix.EMSGSIZE, unix.EIO, unix.EINVAL, unix.EOPNOTSUPP:
		return true
	}
	return false
}

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
		if errno = o.send(socket, n, n+1); errno == 0 || isFinal(errno) {
			return errno, false
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

// singly sends each datagram of a train by itself, in the spare message. Once
// one is too large the others of its size are dropped unseen.
func (o *outbox) singly(socket *udpSocket, i int) (refused error) {
	t := &o.trains[i]
	for start := t.start; start < t.end; start += t.segment {
		o.message(spareMessage, part{i, start, min(start+t.segment, t.end)}, true)
		errno, doubtful := o.again(socket, spareMessage)
		if errno == 0 {
			continue
		}
		lost := 1
		if errno == unix.EMSGSIZE && !doubtful {
			lost = max(1, (t.end-start)/t.segment)
			start += (lost - 1) * t.segment
		}
		refused = o.drop(t, lost, errno, doubtful)
	}
	return refused
}

// drop counts datagrams that the kernel has refused, and tells of their size
// if that is the reason for certain.
func (o *outbox) drop(t *train, lost int, errno unix.Errno, doubtful bool) error {
	reason := dropReasonOf(errno)
	if reason == dropSendTooLarge {
		if doubtful {
			reason = dropSend
		} else {
			o.events.tooBig(t.peer, t.segment+esp.OuterOverhead(t.to.endpoint.Addr().Is6()))
		}
	}
	if t.peer != nil {
		t.peer.drops.add(reason, lost)
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
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN):
		return dropSendFull
	default:
		return dropSend
	}
}
