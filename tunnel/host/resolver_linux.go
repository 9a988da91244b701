package host

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Resolver returns a resolver whose questions bear a mark. Where everything else
// goes through the tunnel, the names of the endpoints are looked up beside it, as
// the tunnel's own packets go: it may be down because an endpoint has moved. A
// resolver of the host that answers at a loopback address asks others without the
// mark.
func Resolver(mark uint32) *net.Resolver {
	if mark == 0 {
		return net.DefaultResolver
	}
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		if err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(mark))
		}); err != nil {
			return err
		}
		return failed
	}}
	return &net.Resolver{PreferGo: true, Dial: dialer.DialContext}
}
