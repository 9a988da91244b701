package udp

import (
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// room waits for room in a socket that only sends.
//
// The runtime polls a file for both directions, so each datagram that leaves the
// host would be an event that there is room, and wake a thread in vain. Hence it
// polls a second descriptor of the socket, made when the socket is full for the first
// time. The zero value is ready.
type room struct {
	mu     sync.Mutex
	closed bool
	file   *os.File
	raw    syscall.RawConn
}

// wait calls f with a descriptor of the socket behind raw until it returns true, each
// time after the first when there is room. It ends with an error when the socket is
// closed.
func (r *room) wait(raw syscall.RawConn, f func(fd uintptr) bool) error {
	polled, err := r.polled(raw)
	if err != nil {
		return err
	}
	return polled.Write(f)
}

// polled returns the second descriptor.
func (r *room) polled(raw syscall.RawConn) (_ syscall.RawConn, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, net.ErrClosed
	}
	if r.raw != nil {
		return r.raw, nil
	}
	second := -1
	if cerr := raw.Control(func(fd uintptr) { second, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		return nil, cerr
	} else if err != nil {
		return nil, err
	}
	// Of both descriptors: no call relies on the socket's mode.
	if err = unix.SetNonblock(second, true); err != nil {
		unix.Close(second)
		return nil, err
	}
	r.file = os.NewFile(uintptr(second), "outlet")
	if r.raw, err = r.file.SyscallConn(); err != nil {
		r.file.Close()
	}
	return r.raw, err
}

// close ends every wait.
func (r *room) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.file != nil {
		r.file.Close()
	}
}
