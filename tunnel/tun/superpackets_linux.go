package tun

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"fathom/tunnel/inner"
)

// findQueues finds the queues of an opening.
func (o *opening) findQueues() error {
	for _, f := range append([]*os.File{o.library.File()}, o.others...) {
		raw, err := f.SyscallConn()
		if err != nil {
			return fmt.Errorf("TUN device: %w", err)
		}
		o.queues = append(o.queues, raw)
	}
	return nil
}

// withSuperpackets makes a Device with the readers and writers of superpackets.
func withSuperpackets(o *opening, features Features) *Device {
	d := &Device{features: features}
	d.current.Store(o)
	for i := range o.queues {
		d.readers = append(d.readers, newSuperReader(d, i))
	}
	d.newWriter = func() Writer { return newSuperWriter(d) }
	return d
}

// isGone reports whether a read failed since the file is closed or its interface
// was deleted. The library, and the runtime's poller, say the latter in words of
// their own.
func (o *opening) isGone(err error) bool {
	file := o.library.File()
	if file == nil || errors.Is(err, os.ErrClosed) {
		return errors.Is(err, os.ErrClosed)
	}
	raw, cerr := file.SyscallConn()
	if cerr != nil {
		return true
	}
	cerr = raw.Control(func(fd uintptr) { err = unix.IoctlIfreq(int(fd), unix.TUNGETIFF, new(unix.Ifreq)) })
	return cerr != nil || errors.Is(err, unix.EBADFD)
}

// askForSuperpackets asks the kernel for superpackets, and returns which it
// grants. To grant none is an error.
func askForSuperpackets(fd int) (Features, error) {
	const tcp = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	const udp = unix.TUN_F_USO4 | unix.TUN_F_USO6 // together or not at all
	if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tcp|udp) == nil {
		return Features{TCP: true, UDP: true}, nil
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tcp); err != nil {
		return Features{}, fmt.Errorf("segmentation offload: %w", err)
	}
	return Features{TCP: true}, nil
}

// superReader reads with system calls that do not block, and waits by the
// runtime's poller.
type superReader struct {
	device  *Device
	opening *opening
	index   int             // of the queue
	raw     syscall.RawConn // the queue
	buffer  []byte

	// What the system call gets from and leaves for Read; the closure is made
	// once, since a new one for each call would be an allocation.
	call  func(fd uintptr) bool
	wait  bool
	n     int
	errno unix.Errno
}

func newSuperReader(d *Device, index int) *superReader {
	r := &superReader{device: d, index: index, buffer: make([]byte, inner.OffloadSize+maxPacket)}
	r.call = r.once
	r.use(d.current.Load())
	return r
}

func (r *superReader) use(o *opening) { r.opening, r.raw = o, o.queues[r.index] }

func (r *superReader) Read(wait bool) ([]byte, inner.Offload, error) {
	for {
		r.wait, r.n, r.errno = wait, 0, 0
		err := r.raw.Read(r.call)
		switch {
		case err != nil || r.errno == unix.EBADFD || r.errno == unix.EFAULT:
			// The file is closed, or its interface was deleted. The poller may
			// tell the latter first, with an error of its own.
			if !wait {
				return nil, inner.Offload{}, ErrEmpty
			}
			next := r.device.after(r.opening)
			if next == nil {
				return nil, inner.Offload{}, os.ErrClosed
			}
			r.use(next)
		case r.errno == unix.EAGAIN:
			return nil, inner.Offload{}, ErrEmpty
		case r.errno != 0:
			return nil, inner.Offload{}, fmt.Errorf("read from TUN device: %w", r.errno)
		case r.n > inner.OffloadSize:
			return r.buffer[inner.OffloadSize:r.n], inner.DecodeOffload(r.buffer), nil
		}
	}
}

// once makes the system call; false means that it is to be made again when the
// device is ready. The call is raw: it does not block, so the scheduler need not
// prepare for that.
func (r *superReader) once(fd uintptr) bool {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&r.buffer[0])), uintptr(len(r.buffer)))
		switch errno {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			if r.wait {
				return false
			}
		}
		r.n, r.errno = int(n), errno
		return true
	}
}

// maxParts is how many parts a packet may be in.
const maxParts = 128

// superWriter writes a packet's parts with one system call. Each flow has its
// queue, by which the kernel then sends the packets of the other direction.
type superWriter struct {
	device  *Device
	opening *opening
	header  [inner.OffloadSize]byte
	vectors [1 + maxParts]unix.Iovec
	n       int

	call  func(fd uintptr) bool
	errno unix.Errno
}

func newSuperWriter(d *Device) *superWriter {
	w := &superWriter{device: d, opening: d.current.Load()}
	w.call = w.once
	return w
}

func (w *superWriter) Write(parts [][]byte, o inner.Offload) error {
	o.Encode(w.header[:])
	w.vectors[0].Base = &w.header[0]
	w.vectors[0].SetLen(len(w.header))
	w.n = 1
	for _, part := range parts {
		w.vectors[w.n].Base = unsafe.SliceData(part)
		w.vectors[w.n].SetLen(len(part))
		w.n++
	}
	err := w.write(parts)
	if err == nil {
		return nil
	}
	if next := w.device.current.Load(); next != w.opening {
		w.opening = next
		return w.write(parts)
	}
	return err
}

// write writes the vectors to the queue of their flow.
func (w *superWriter) write(parts [][]byte) error {
	queues := w.opening.queues
	queue := queues[0]
	if n := len(queues); n > 1 && len(parts) > 0 {
		queue = queues[inner.FlowHash(parts[0])%uint32(n)]
	}
	if err := queue.Write(w.call); err != nil {
		return err
	}
	if w.errno != 0 {
		return w.errno
	}
	return nil
}

func (w *superWriter) once(fd uintptr) bool {
	for {
		_, _, w.errno = unix.RawSyscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&w.vectors[0])), uintptr(w.n))
		if w.errno != unix.EINTR {
			return w.errno != unix.EAGAIN
		}
	}
}
