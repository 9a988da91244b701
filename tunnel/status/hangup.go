package status

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// awaitHangup waits until the peer of a connection has closed it, and reports
// whether that has happened; false means that this end has closed it, or that
// conn is no socket. A read would not do: it also ends when the peer has closed
// only its own direction and still waits for an answer.
func awaitHangup(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	// Read calls the function again whenever the state of the socket changes.
	return raw.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd)}}
		_, err := unix.Poll(poll, 0)
		return err == nil && poll[0].Revents&unix.POLLHUP != 0
	}) == nil
}
