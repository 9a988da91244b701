package tun

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const cloneDevice = "/dev/net/tun"

// claimDevice opens the first queue of a device that has no other owner; else
// the error is EBUSY. The kernel refuses a second owner of a device with one
// queue, but lets several owners share one with several. The latter must
// therefore be new, or persistent and without an open queue.
func claimDevice(name string, flags uint16) (fd int, err error) {
	if flags&unix.IFF_MULTI_QUEUE == 0 {
		return openQueue(name, flags)
	}
	fd, err = openQueue(name, flags|unix.IFF_TUN_EXCL)
	if !errors.Is(err, unix.EBUSY) {
		return fd, err
	}
	if queuesOf(name) > 0 {
		return -1, err // a further queue would take packets from the owner
	}
	if fd, err = openQueue(name, flags); err != nil {
		return -1, err
	}
	// Another process may have opened it at the same time. Before Linux 4.16
	// the number is always 0, and the device is refused.
	if queuesOf(name) != 1 {
		unix.Close(fd)
		return -1, unix.EBUSY
	}
	return fd, nil
}

// queuesOf returns how many queues of a device are open. It is 0 if the device
// does not exist or cannot have several.
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
	// Old kernels ignore flags that they do not know.
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
