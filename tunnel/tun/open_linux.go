package tun

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	wgtun "golang.zx2c4.com/wireguard/tun"

	"fathom/tunnel/inner"
)

// Open makes a TUN device, or takes a persistent one that has no owner, with as
// much of the config as the kernel offers. Its errors say what to do about
// them. A device has one owner: the error of another Open is unix.EBUSY.
func Open(name string, config Config) (*Device, error) {
	return open(name, shapesOf(config))
}

// open makes the device in the first of the shapes that the kernel does not
// refuse.
func open(name string, shapes []shape) (d *Device, err error) {
	for _, s := range shapes {
		if d, err = s.device(name); !refused(err) {
			break
		}
	}
	if err != nil {
		return nil, openError(name, err)
	}
	return d, nil
}

// device makes the device in this shape, in which it can be made again.
func (s shape) device(name string) (*Device, error) {
	o, features, err := s.open(name)
	if err != nil {
		return nil, err
	}
	return s.wrap(name, o, features), nil
}

// wrap makes a Device of an opening in this shape.
func (s shape) wrap(name string, o *opening, features Features) *Device {
	d, header := &Device{features: features}, s.headerSize()
	d.current.Store(o)
	for i := range o.queues {
		d.readers = append(d.readers, newQueueReader(d, i, header))
	}
	d.newWriter = func() Writer { return newQueueWriter(d, header) }
	d.remake = func() (*opening, Features, error) {
		o, features, err := s.open(name)
		if err != nil {
			return nil, Features{}, openError(name, err)
		}
		return o, features, nil
	}
	return d
}

// shape is a form in which the kernel may make a device.
type shape struct {
	flags  uint16 // beside those that every device has
	queues int    // at least 1
}

// headerSize returns the length of the virtio_net_hdr before each packet, in bytes.
func (s shape) headerSize() int {
	if s.flags&unix.IFF_VNET_HDR == 0 {
		return 0
	}
	return inner.OffloadSize
}

// shapesOf returns the shapes to ask for, the best first. A persistent device
// (ip tuntap add) decides itself about IFF_MULTI_QUEUE, so one queue is asked
// for either way.
func shapesOf(config Config) (shapes []shape) {
	const vnet, multi = unix.IFF_VNET_HDR, unix.IFF_MULTI_QUEUE
	if config.Offload && config.Queues > 1 {
		shapes = append(shapes, shape{vnet | multi, config.Queues})
	}
	if config.Offload {
		shapes = append(shapes, shape{vnet, 1}, shape{vnet | multi, 1})
	}
	return append(shapes, shape{0, 1}, shape{multi, 1})
}

// refused reports whether the kernel does not offer what it was asked for.
func refused(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP)
}

// open makes the device in this shape or not at all.
func (s shape) open(name string) (*opening, Features, error) {
	var fds []int
	openNext := claimDevice
	for range s.queues {
		fd, err := openNext(name, s.flags)
		if err != nil {
			closeAll(fds)
			return nil, Features{}, err
		}
		fds = append(fds, fd)
		openNext = openQueue
	}
	return s.use(fds)
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// use makes an opening of the queues of a device in this shape. The descriptors
// belong to it, and are closed after an error.
func (s shape) use(fds []int) (_ *opening, features Features, err error) {
	defer func() {
		if err != nil {
			closeAll(fds)
		}
	}()
	if s.flags&unix.IFF_VNET_HDR != 0 {
		// A persistent device may have had headers of another size.
		if err = unix.IoctlSetPointerInt(fds[0], unix.TUNSETVNETHDRSZ, inner.OffloadSize); err != nil {
			return nil, Features{}, fmt.Errorf("size of virtio_net_hdr: %w", err)
		}
		if features, err = askForSuperpackets(fds[0]); err != nil {
			return nil, Features{}, err
		}
	} else {
		// A persistent device still has what was asked for the last time.
		_ = unix.IoctlSetInt(fds[0], unix.TUNSETOFFLOAD, 0)
	}
	// Unmonitored: nothing here depends on events, and the monitor writes empty
	// packets, which count as dropped, to see whether the device is up.
	first := fds[0]
	fds = fds[1:] // the first belongs to a file of the library, even if it fails
	library, _, err := wgtun.CreateUnmonitoredTUNFromFD(first)
	if err != nil {
		return nil, Features{}, fmt.Errorf("TUN device: %v", err) // whatever it is, no refusal of the shape
	}
	o := &opening{library: library, ended: make(chan struct{})}
	for _, fd := range fds {
		o.others = append(o.others, os.NewFile(uintptr(fd), cloneDevice))
	}
	fds = nil // all belong to files of the opening
	if err = o.findQueues(); err != nil {
		o.close()
		return nil, Features{}, err
	}
	return o, features, nil
}

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

// openError says what to do about a TUN device that cannot be made.
func openError(name string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("make TUN device %s: %w (run as root or with CAP_NET_ADMIN; /dev/net/tun must be readable and writable)", name, err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("make TUN device %s: %w (another process uses it; choose another tunnel.name or stop that process)", name, err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("make TUN device %s: %w (if another interface has that name, choose another tunnel.name)", name, err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("make TUN device %s: %w (load the kernel module: modprobe tun)", name, err)
	}
	return fmt.Errorf("make TUN device %s: %w", name, err)
}
