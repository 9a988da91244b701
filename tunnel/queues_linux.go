package tunnel

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/tun"

	"fathom/tunnel/inner"
)

const cloneDevice = "/dev/net/tun"

// tunDevice is a TUN device with all its queues. The kernel spreads what the
// host sends over them by flow: a flow leaves by the queue that a packet of its
// other direction was last written to, or after three seconds without one by any
// that its hash points to.
type tunDevice struct {
	tun.Device            // with the first queue
	others     []*os.File // the queues but the first
	features   deviceFeatures
}

func (d *tunDevice) queues() int { return 1 + len(d.others) }

func (d *tunDevice) Close() error {
	err := d.Device.Close()
	for _, f := range d.others {
		err = errors.Join(err, f.Close())
	}
	return err
}

// deviceShape is what a device is made like.
type deviceShape struct {
	flags  uint16 // beside those that every device has
	queues int    // at least 1
}

// deviceShapes returns what the device may be like, the best first. A
// persistent device (ip tuntap add) decides itself about IFF_MULTI_QUEUE, so
// one queue is asked for either way.
func deviceShapes(queues int, super bool) (shapes []deviceShape) {
	const vnet, multi = unix.IFF_VNET_HDR, unix.IFF_MULTI_QUEUE
	if super && queues > 1 {
		shapes = append(shapes, deviceShape{vnet | multi, queues})
	}
	if super {
		shapes = append(shapes, deviceShape{vnet, 1}, deviceShape{vnet | multi, 1})
	}
	return append(shapes, deviceShape{0, 1}, deviceShape{multi, 1})
}

// createTUN makes a TUN device, or takes a persistent one that nobody has, in
// the first of the shapes that the kernel does not refuse.
func createTUN(name string, shapes []deviceShape) (d *tunDevice, err error) {
	for _, s := range shapes {
		if d, err = s.create(name); !refused(err) {
			break
		}
	}
	return d, err
}

// refused reports whether the kernel does not offer what it was asked for.
func refused(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP)
}

func (s deviceShape) create(name string) (_ *tunDevice, err error) {
	var fds []int // those that are ours to close
	defer func() {
		if err != nil {
			for _, fd := range fds {
				unix.Close(fd)
			}
		}
	}()
	open := claimDevice
	for range s.queues {
		fd, err := open(name, s.flags)
		if err != nil {
			return nil, err
		}
		fds = append(fds, fd)
		open = openQueue
	}
	d := new(tunDevice)
	if s.flags&unix.IFF_VNET_HDR != 0 {
		// A persistent device may have had headers of another size.
		if err = unix.IoctlSetPointerInt(fds[0], unix.TUNSETVNETHDRSZ, inner.OffloadSize); err != nil {
			return nil, fmt.Errorf("size of virtio_net_hdr: %w", err)
		}
		if d.features, err = askForSuper(fds[0]); err != nil {
			return nil, err
		}
	} else {
		// A persistent device still has what was asked for the last time.
		_ = unix.IoctlSetInt(fds[0], unix.TUNSETOFFLOAD, 0)
	}
	// Unmonitored, since nothing here depends on events; and to see whether the
	// device is up, the library writes empty packets, which count as dropped.
	first := fds[0]
	fds = fds[1:] // the first belongs to a file of the library, even if it fails
	if d.Device, _, err = tun.CreateUnmonitoredTUNFromFD(first); err != nil {
		return nil, fmt.Errorf("TUN device: %v", err) // whatever it is, no refusal of the shape
	}
	for _, fd := range fds {
		d.others = append(d.others, os.NewFile(uintptr(fd), cloneDevice))
	}
	return d, nil
}

// claimDevice opens the first queue of a device, which nobody else has: the
// error is EBUSY if somebody does. If a device can have one queue only, the
// kernel sees to that; another it would share. Thus that must not be there, or
// be persistent and without a queue before this one.
func claimDevice(name string, flags uint16) (fd int, err error) {
	if flags&unix.IFF_MULTI_QUEUE == 0 {
		return openQueue(name, flags)
	}
	fd, err = openQueue(name, flags|unix.IFF_TUN_EXCL)
	if !errors.Is(err, unix.EBUSY) {
		return fd, err
	}
	if queuesOf(name) > 0 {
		return -1, err // and the owner loses no packet to a queue that nobody reads
	}
	if fd, err = openQueue(name, flags); err != nil {
		return -1, err
	}
	// Somebody may have come at the same time. Before Linux 4.16 there is no
	// telling: the number is always 0.
	if queuesOf(name) != 1 {
		unix.Close(fd)
		return -1, unix.EBUSY
	}
	return fd, nil
}

// queuesOf returns how many queues of a device are open. It is 0 if there is no
// such device, or if it has not several.
func queuesOf(name string) int {
	link, err := netlink.LinkByName(name)
	if device, ok := link.(*netlink.Tuntap); ok && err == nil {
		return device.Queues + device.DisabledQueues
	}
	return 0
}

// openQueue makes the device, or one more queue of it.
func openQueue(name string, flags uint16) (int, error) {
	fd, err := unix.Open(cloneDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", cloneDevice, err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | flags)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	// Old kernels pass over what they do not know.
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, request)
	}
	if want := flags &^ unix.IFF_TUN_EXCL; err == nil && request.Uint16()&want != want {
		err = unix.EINVAL
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
