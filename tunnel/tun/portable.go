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
	d := new(Device)
	d.current.Store(&opening{library: library, ended: make(chan struct{})})
	d.readers = []Reader{newPortableReader(library)}
	d.newWriter = func() Writer { return &portableWriter{library: library} }
	return d
}

// portableReader hands out the packets of a batch one by one.
type portableReader struct {
	library wgtun.Device
	buffers [][]byte
	sizes   []int
	next, n int
}

func newPortableReader(library wgtun.Device) *portableReader {
	n := library.BatchSize()
	r := &portableReader{library: library, buffers: make([][]byte, n), sizes: make([]int, n)}
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
		r.n, err = r.library.Read(r.buffers, r.sizes, 0)
		switch {
		case err == nil || errors.Is(err, wgtun.ErrTooManySegments):
		case errors.Is(err, os.ErrClosed):
			return nil, inner.Offload{}, os.ErrClosed
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
	library wgtun.Device
	buffer  []byte
	list    [1][]byte
}

func (w *portableWriter) Write(parts [][]byte, _ inner.Offload) error {
	w.buffer = w.buffer[:0]
	for _, part := range parts {
		w.buffer = append(w.buffer, part...)
	}
	w.list[0] = w.buffer
	_, err := w.library.Write(w.list[:], 0)
	return err
}
