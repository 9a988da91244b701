package tun

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// HandOver calls give with the descriptors of all queues of the device, which stay
// the device's. A copy of them, in another process or in the hands of a service
// manager, keeps the interface with its addresses and routes when this process ends,
// and Adopt takes it from there. Meanwhile packets wait in the queues, as many as the
// interface's queue length lets. After Reopen the descriptors are others.
func (d *Device) HandOver(give func(queues []int) error) error {
	d.mu.Lock() // none is closed meanwhile
	defer d.mu.Unlock()
	if d.closed {
		return os.ErrClosed
	}
	queues := d.current.Load().queues
	if len(queues) == 0 {
		return fmt.Errorf("hand over the TUN device: %w", errors.ErrUnsupported)
	}
	var fds []int
	next := func() error { return give(fds) }
	for _, queue := range slices.Backward(queues) {
		then := next
		next = func() (err error) {
			return errors.Join(queue.Control(func(fd uintptr) {
				fds = append(fds, int(fd))
				err = then()
			}), err)
		}
	}
	return next()
}

// Adopt takes over the device whose queues were handed over, all of them, as they
// are: the interface and what is in the queues stay. It has all that the config asks
// for, and no more, or the error is ErrOther. The files stay the caller's; as long as
// they are open, another Open of the device fails.
func Adopt(name string, config Config, queues []*os.File) (*Device, error) {
	s := shapesOf(config)[0] // Open would try whether the kernel offers that now
	if s.queues != len(queues) {
		return nil, fmt.Errorf("take over TUN device %s: %w", name, ErrOther)
	}
	fds, ok := s.copies(name, queues)
	if !ok {
		return nil, fmt.Errorf("take over TUN device %s: %w", name, ErrOther)
	}
	o, features, err := s.use(fds)
	if err != nil {
		return nil, fmt.Errorf("take over TUN device %s: %w", name, err)
	}
	return s.wrap(name, o, features), nil
}

// copies returns descriptors of our own for the queues of a device in this shape. ok
// is false if they are not those of this device, not in this shape, or not all.
func (s shape) copies(name string, queues []*os.File) (fds []int, ok bool) {
	defer func() {
		if !ok {
			closeAll(fds)
		}
	}()
	for _, f := range queues {
		raw, err := f.SyscallConn()
		if err != nil {
			return fds, false
		}
		fd := -1
		if cerr := raw.Control(func(theirs uintptr) { fd, err = unix.FcntlInt(theirs, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil || err != nil {
			return fds, false
		}
		fds = append(fds, fd)
		if !s.isQueue(fd, name) || unix.SetNonblock(fd, true) != nil {
			return fds, false
		}
	}
	// Of a device with several queues one may have been lost, whose flows nobody would read.
	return fds, s.flags&unix.IFF_MULTI_QUEUE == 0 || queuesOf(name) == len(fds)
}

// isQueue reports whether a descriptor is a queue of the device, in this shape.
func (s shape) isQueue(fd int, name string) bool {
	const decides = unix.IFF_TUN | unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR | unix.IFF_MULTI_QUEUE
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, request)
	}
	return err == nil && request.Name() == name && request.Uint16()&decides == unix.IFF_TUN|unix.IFF_NO_PI|s.flags
}

// NameOf returns the name of the device that a queue belongs to, empty if the file is
// no queue of a device, or that of one that has been deleted.
func NameOf(queue *os.File) (name string) {
	raw, err := queue.SyscallConn()
	if err != nil {
		return ""
	}
	_ = raw.Control(func(fd uintptr) {
		request, err := unix.NewIfreq("")
		if err == nil && unix.IoctlIfreq(int(fd), unix.TUNGETIFF, request) == nil {
			name = request.Name()
		}
	})
	return name
}
