package udp

import "golang.org/x/sys/unix"

// Offer returns what the kernel would do for the sockets of this process, with the buffers
// of a Config that names none. The socket that it asks by is bound to nothing.
func Offer() (Offloads, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Offloads{}, err
	}
	defer unix.Close(fd)
	cfg := Config{}.withDefaults()
	setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, cfg.ReceiveBuffer)
	setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, cfg.SendBuffer)
	o := Offloads{GRO: unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil}
	_, err = unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	o.Segment = err == nil
	// The kernel reports twice what was asked for (socket(7)).
	o.ReceiveBuffer, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	o.SendBuffer, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	o.ReceiveBuffer, o.SendBuffer = o.ReceiveBuffer/2, o.SendBuffer/2
	return o, nil
}
