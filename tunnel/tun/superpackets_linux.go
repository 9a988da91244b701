package tun

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"fathom/tunnel/inner"
)

// useSuperpackets makes the readers and writers of a device whose queues have a
// virtio_net_hdr before each packet.
func (d *Device) useSuperpackets(features Features) error {
	queues := make([]syscall.RawConn, 0, 1+len(d.others))
	for _, f := range append([]*os.File{d.library.File()}, d.others...) {
		raw, err := f.SyscallConn()
		if err != nil {
			return fmt.Errorf("TUN device: %w", err)
		}
		queues = append(queues, raw)
		d.readers = append(d.readers, newSuperReader(raw))
	}
	d.features = features
	d.newWriter = func() Writer { return newSuperWriter(queues) }
	return nil
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
	raw    syscall.RawConn
	buffer []byte

	// What the system call gets from and leaves for Read; the closure is made
	// once, since a new one for each call would be an allocation.
	call  func(fd uintptr) bool
	wait  bool
	n     int
	errno unix.Errno
}

func newSuperReader(queue syscall.RawConn) *superReader {
	r := &superReader{raw: queue, buffer: make([]byte, inner.OffloadSize+maxPacket)}
	r.call = r.once
	return r
}

func (r *superReader) Read(wait bool) ([]byte, inner.Offload, error) {
	for {
		r.wait, r.n, r.errno = wait, 0, 0
		if r.raw.Read(r.call) != nil {
			return nil, inner.Offload{}, os.ErrClosed // the only reason there is
		}
		switch {
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
	queues  []syscall.RawConn
	header  [inner.OffloadSize]byte
	vectors [1 + maxParts]unix.Iovec
	n       int

	call  func(fd uintptr) bool
	errno unix.Errno
}

func newSuperWriter(queues []syscall.RawConn) *superWriter {
	w := &superWriter{queues: queues}
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
	queue := w.queues[0]
	if n := len(w.queues); n > 1 && len(parts) > 0 {
		queue = w.queues[inner.FlowHash(parts[0])%uint32(n)]
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
