package tun

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	wgtun "golang.zx2c4.com/wireguard/tun"

	"fathom/tunnel/inner"
)

// maxPacket is the largest packet or superpacket that the kernel makes
// (GSO_LEGACY_MAX_SIZE), in bytes.
const maxPacket = 65536

// ErrEmpty is the error of a Reader that does not wait: the queue is empty.
var ErrEmpty = errors.New("the device's queue is empty")

// ErrOther is the error of Adopt where the queues are not those of the device that Open
// would make.
var ErrOther = errors.New("the queues handed over are of another device, or of one that was made otherwise")

// Config says what to ask the kernel for. It may grant less: see
// Device.Features and Device.Queues.
type Config struct {
	// Offload asks for superpackets.
	Offload bool
	// Queues is how many queues to ask for, at least 1. Without Offload there
	// is one in any case.
	Queues int
}

// Features are the kinds of superpackets that a device reads and writes.
type Features struct {
	TCP, UDP bool
}

// Reader reads the packets that the host sends into one queue of the device.
// One goroutine may use it.
type Reader interface {
	// Read returns the next packet and the work on it that the host has left to
	// us. The bytes are valid until the next Read, and the caller may change
	// them. Without wait the error is ErrEmpty if the queue has no packet. It is
	// os.ErrClosed once the device is closed.
	Read(wait bool) ([]byte, inner.Offload, error)
}

// Writer hands packets to the host. One goroutine may use it.
type Writer interface {
	// Write hands over one packet, in at most 128 parts, with the work on it
	// that is left to the host. It keeps none of the bytes. The device must have
	// the kind of offload.
	Write(parts [][]byte, o inner.Offload) error
}

// Device is an open TUN device with all its queues.
type Device struct {
	features  Features
	readers   []Reader // one a queue
	newWriter func() Writer
	// remake opens the device again; nil: it cannot be.
	remake func() (*opening, Features, error)

	current atomic.Pointer[opening]
	mu      sync.Mutex // one Reopen or Close at a time
	closed  bool       // guarded by mu
}

// opening is the device as it was opened once. Somebody may delete the
// interface; its files then are of no use, and Reopen replaces them as a whole.
type opening struct {
	library wgtun.Device      // with the first queue
	others  []*os.File        // the queues but the first
	queues  []syscall.RawConn // all; none of a device that was only wrapped
	ended   chan struct{}     // closed when it is closed, behind its successor
}

// close closes all queues, which ends every Read.
func (o *opening) close() error {
	err := o.library.Close()
	for _, f := range o.others {
		err = errors.Join(err, f.Close())
	}
	close(o.ended)
	return err
}

// after returns the opening that replaces one whose files have failed, and waits
// for it; nil if the device is closed instead.
func (d *Device) after(o *opening) *opening {
	<-o.ended
	if next := d.current.Load(); next != o {
		return next
	}
	return nil
}

// Readers returns the reader of each queue. Each gets the packets of some of
// the flows, and all must be read.
func (d *Device) Readers() []Reader { return d.readers }

// NewWriter returns a writer to the device; each goroutine needs its own.
func (d *Device) NewWriter() Writer { return d.newWriter() }

// Features returns the superpackets that the kernel has granted.
func (d *Device) Features() Features { return d.features }

// Queues returns how many queues the device has.
func (d *Device) Queues() int { return len(d.readers) }

// MTU returns the MTU of the interface, in bytes of an inner packet.
func (d *Device) MTU() (int, error) { return d.current.Load().library.MTU() }

// Reopen makes the interface again after somebody has deleted it, with as many
// queues and the same features. Readers and Writers go on with the new one: until
// then a Read that waits goes on waiting, and a Write is an error.
func (d *Device) Reopen() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return os.ErrClosed
	}
	if d.remake == nil {
		return fmt.Errorf("make the TUN device again: %w", errors.ErrUnsupported)
	}
	next, features, err := d.remake()
	if err != nil {
		return err
	}
	if features != d.features {
		next.close()
		return errors.New("the TUN device has other features than before")
	}
	d.current.Swap(next).close()
	return nil
}

// Close closes all queues, which ends every Read. The interface disappears from
// the host, unless it is persistent.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return os.ErrClosed
	}
	d.closed = true
	return d.current.Load().close()
}
