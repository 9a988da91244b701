package tun

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"fathom/tunnel/inner"
)

// maxParts is how many parts a packet may be in.
const maxParts = 128

// queueWriter writes a packet's parts with one system call. Each flow has its
// queue, by which the kernel then sends the packets of the other direction.
type queueWriter struct {
	device  *Device
	opening *opening
	header  []byte // the virtio_net_hdr; empty: the device has none
	vectors [1 + maxParts]unix.Iovec
	n       int

	call  func(fd uintptr) bool
	errno unix.Errno
}

func newQueueWriter(d *Device, header int) *queueWriter {
	w := &queueWriter{device: d, opening: d.current.Load(), header: make([]byte, header)}
	w.call = w.once
	return w
}

func (w *queueWriter) Write(parts [][]byte, o inner.Offload) error {
	w.n = 0
	if len(w.header) > 0 {
		o.Encode(w.header)
		w.add(w.header)
	}
	for _, part := range parts {
		w.add(part)
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

// add makes b the next vector.
func (w *queueWriter) add(b []byte) {
	w.vectors[w.n].Base = unsafe.SliceData(b)
	w.vectors[w.n].SetLen(len(b))
	w.n++
}

// write writes the vectors to the queue of their flow.
func (w *queueWriter) write(parts [][]byte) error {
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

func (w *queueWriter) once(fd uintptr) bool {
	for {
		_, _, w.errno = unix.RawSyscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&w.vectors[0])), uintptr(w.n))
		if w.errno != unix.EINTR {
			return w.errno != unix.EAGAIN
		}
	}
}
