//go:build linux

package netlab

import (
	"os"

	"golang.org/x/sys/unix"
)

const tunDevice = "/dev/net/tun"

// openTUN makes a layer 3 device in the namespace of the calling thread and
// returns its nonblocking descriptor: one read or write is one IP packet, no
// header before it. The device goes when the descriptor is closed. The error
// is an *os.PathError when tunDevice cannot be opened.
func openTUN(name string) (fd int, err error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	fd, err = unix.Open(tunDevice, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: tunDevice, Err: err}
	}
	// Without IFF_VNET_HDR the kernel segments and finishes checksums itself.
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("TUNSETIFF", err)
	}
	return fd, nil
}
