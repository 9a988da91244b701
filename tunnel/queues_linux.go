package tunnel

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/tun"
)

const cloneDevice = "/dev/net/tun"

// createTUN makes a TUN device with so many queues, at least 1. The device
// belongs to the library, and with it the first queue; the files of the others
// are the caller's. The kernel spreads what the host sends over the queues by
// flow: a flow leaves by the queue that was last written a packet of its other
// direction to.
func createTUN(name string, mtu, queues int) (device tun.Device, others []*os.File, err error) {
	if queues == 1 {
		device, err = tun.CreateTUN(name, mtu)
		return device, nil, err
	}
	var files []*os.File
	defer func() {
		if err != nil {
			for _, f := range files {
				f.Close()
			}
		}
	}()
	for range queues {
		f, err := openQueue(name)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, f)
	}
	device, err = tun.CreateTUNFromFile(files[0], mtu)
	return device, files[1:], err
}

// openQueue makes the device, or one more queue of it.
func openQueue(name string) (*os.File, error) {
	fd, err := unix.Open(cloneDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", cloneDevice, err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR | unix.IFF_MULTI_QUEUE)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), cloneDevice), nil
}
