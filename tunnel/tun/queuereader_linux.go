package tun

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"fathom/tunnel/inner"
)

// queueReader reads packets or superpackets with system calls that do not block, and
// waits by the runtime's poller.
type queueReader struct {
	device  *Device
	opening *opening
	index   int             // of the queue
	raw     syscall.RawConn // the queue
	header  int             // length of the virtio_net_hdr, 0: there is none
	buffer  []byte

	// What the system call gets from and leaves for Read; the closure is made
	// once, since a new one for each call would be an allocation.
	call  func(fd uintptr) bool
	wait  bool
	n     int
	errno unix.Errno
}

func newQueueReader(d *Device, index, header int) *queueReader {
	r := &queueReader{device: d, index: index, header: header, buffer: make([]byte, header+maxPacket)}
	r.call = r.once
	r.use(d.current.Load())
	return r
}

func (r *queueReader) use(o *opening) { r.opening, r.raw = o, o.queues[r.index] }

func (r *queueReader) Read(wait bool) ([]byte, inner.Offload, error) {
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
		case r.n > r.header:
			var o inner.Offload
			if r.header > 0 {
				o = inner.DecodeOffload(r.buffer)
			}
			return r.buffer[r.header:r.n], o, nil
		}
	}
}

// once makes the system call; false means that it is to be made again when the
// device is ready. The call is raw: it does not block, so the scheduler need not
// prepare for that.
func (r *queueReader) once(fd uintptr) bool {
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
