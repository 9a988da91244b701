package tun

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const cloneDevice = "/dev/net/tun"

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
