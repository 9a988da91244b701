package tunnel

import (
	"errors"
	"fmt"
	"os"

	"golang.zx2c4.com/wireguard/tun"

	"fathom/tunnel/inner"
)

// device is the TUN device as the packet loops see it: superpackets where the
// kernel offers them (superDevice), single packets elsewhere (portableDevice).
type device interface {
	// readers returns what the transmitters read from, each of which gets some
	// of the flows: one a queue.
	readers() []packetReader
	// writer returns what a goroutine writes to; each has its own.
	writer() packetWriter
	// features says what the host takes and gives.
	features() deviceFeatures
}

// deviceFeatures are the kinds of superpackets of a device, in both
// directions.
type deviceFeatures struct {
	tcp, udp bool
}

// packetReader reads the packets that the host sends into the device.
type packetReader interface {
	// read returns the next packet and what is left to do about it. The bytes
	// are valid, and the caller's to change, until the next read. Without
	// wait the error is errNothing if none is there. It is os.ErrClosed once
	// the device is closed.
	read(wait bool) ([]byte, inner.Offload, error)
}

// packetWriter hands packets to the host.
type packetWriter interface {
	// write hands over one packet, which is in several parts, and says what
	// the host is to do about it.
	write(parts [][]byte, o inner.Offload) error
}

var errNothing = errors.New("nothing to read")

// portableDevice reads and writes single packets, by the library's portable
// interface: of a device without virtio_net_hdr, with one queue.
type portableDevice struct{ tun.Device }

func (d portableDevice) features() deviceFeatures { return deviceFeatures{} }

func (d portableDevice) readers() []packetReader {
	n := d.BatchSize()
	r := &portableReader{device: d.Device, buffers: make([][]byte, n), sizes: make([]int, n)}
	for i := range r.buffers {
		r.buffers[i] = make([]byte, maxDatagram)
	}
	return []packetReader{r}
}

// portableReader hands out the packets of a batch one by one.
type portableReader struct {
	device  tun.Device
	buffers [][]byte
	sizes   []int
	next, n int
}

func (r *portableReader) read(wait bool) ([]byte, inner.Offload, error) {
	for r.next == r.n {
		if !wait {
			return nil, inner.Offload{}, errNothing
		}
		var err error
		r.next = 0
		r.n, err = r.device.Read(r.buffers, r.sizes, 0)
		if errors.Is(err, os.ErrClosed) {
			return nil, inner.Offload{}, os.ErrClosed
		} else if err != nil && !errors.Is(err, tun.ErrTooManySegments) {
			return nil, inner.Offload{}, fmt.Errorf("read from TUN device: %w", err)
		}
	}
	i := r.next
	r.next++
	return r.buffers[i][:r.sizes[i]], inner.Offload{}, nil
}

func (d portableDevice) writer() packetWriter { return &portableWriter{device: d.Device} }

// portableWriter puts the parts of a packet together.
type portableWriter struct {
	device tun.Device
	buffer []byte
	list   [1][]byte
}

func (w *portableWriter) write(parts [][]byte, _ inner.Offload) error {
	w.buffer = w.buffer[:0]
	for _, part := range parts {
		w.buffer = append(w.buffer, part...)
	}
	w.list[0] = w.buffer
	_, err := w.device.Write(w.list[:], 0)
	return err
}
