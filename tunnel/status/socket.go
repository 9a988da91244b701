package status

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// Listen opens the status socket at path: see ListenUnix.
func Listen(path string) (*net.UnixListener, error) { return ListenUnix("status socket", path) }

// ListenUnix opens a Unix socket at path for its owner and its group; errors call it
// what. It replaces a socket that a crashed process has left behind, where nobody listens
// any more. Any other socket belongs to a running tunnel and is an error, as is any other file.
// Closing the listener removes the socket.
func ListenUnix(what, path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
	}
	if err == nil || errors.Is(err, syscall.EAGAIN) { // or so many wait there that it takes no more
		return nil, fmt.Errorf("%s %s: another tunnel is running there", what, path)
	}
	if info, gone := os.Lstat(path); errors.Is(err, syscall.ECONNREFUSED) && gone == nil && info.Mode().Type() == fs.ModeSocket {
		os.Remove(path)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return l, nil
}
