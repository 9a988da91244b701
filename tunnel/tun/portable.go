package tun

import (
	"errors"
	"fmt"
	"os"

	wgtun "golang.zx2c4.com/wireguard/tun"

	"fathom/tunnel/inner"
)

// Wrap makes a Device of one that the library has opened without
// virtio_net_hdr. It has one queue and reads and writes single packets. Closing
// it closes the library's.
func Wrap(library wgtun.Device) *Device {
	return withoutSuperpackets(&opening{library: library, ended: make(chan struct{})})
}

func withoutSuperpackets(o *opening) *Device {
	d := new(Device)
	d.current.Store(o)
	d.readers = []Reader{newPortableReader(d)}
	d.newWriter = func() Writer { return &portableWriter{device: d, opening: d.current.Load()} }
	return d
}

// portableReader hands out the packets of a batch one by one.
type portableReader struct {
	device  *Device
	opening *opening
	buffers [][]byte
	sizes   []int
	next, n int
}

func newPortableReader(d *Device) *portableReader {
	o := d.current.Load()
	n := o.library.BatchSize()
	r := &portableReader{device: d, opening: o, buffers: make([][]byte, n), sizes: make([]int, n)}
	for i := range r.buffers {
		r.buffers[i] = make([]byte, maxPacket)
	}
	return r
}

func (r *portableReader) Read(wait bool) ([]byte, inner.Offload, error) {
	for r.next == r.n {
		if !wait {
			return nil, inner.Offload{}, ErrEmpty
		}
		var err error
		r.next = 0
		r.n, err = r.opening.library.Read(r.buffers, r.sizes, 0)
		switch {
		case err == nil || errors.Is(err, wgtun.ErrTooManySegments):
		case r.opening.isGone(err):
			if r.opening = r.device.after(r.opening); r.opening == nil {
				return nil, inner.Offload{}, os.ErrClosed
			}
		default:
			return nil, inner.Offload{}, fmt.Errorf("read from TUN device: %w", err)
		}
	}
	i := r.next
	r.next++
	return r.buffers[i][:r.sizes[i]], inner.Offload{}, nil
}

// portableWriter puts the parts of a packet together.
type portableWriter struct {
	device  *Device
	opening *opening
	buffer  []byte
	list    [1][]byte
}

func (w *portableWriter) Write(parts [][]byte, _ inner.Offload) error {
	w.buffer = w.buffer[:0]
	for _, part := range parts {
		w.buffer = append(w.buffer, part...)
	}
	w.list[0] = w.buffer
	_, err := w.opening.library.Write(w.list[:], 0)
	if err == nil {
		return nil
	}
	if next := w.device.current.Load(); next != w.opening {
		w.opening = next
		_, err = next.library.Write(w.list[:], 0)
	}
	return err
}
