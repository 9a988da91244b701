package host

import (
	"context"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestResolver asks name servers with the mark.
func TestResolver(t *testing.T) {
	if Resolver(0) != net.DefaultResolver {
		t.Error("without a mark it is not the host's own resolver")
	}
	inHost(t, func() error {
		const mark = 4500
		conn, err := Resolver(mark).Dial(context.Background(), "udp", "127.0.0.1:53")
		if err != nil {
			return err
		}
		defer conn.Close()
		raw, err := conn.(syscall.Conn).SyscallConn()
		check(t, err)
		check(t, raw.Control(func(fd uintptr) {
			if got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK); got != mark || err != nil {
				t.Errorf("mark %d, %v", got, err)
			}
		}))
		return nil
	})
}
