package tunnel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The status socket is a Unix stream socket. A client sends one line, the
// server answers with one JSON document and closes. Who may connect is the
// file system's business: the socket is its owner's and its group's.

const (
	statusRequest = "status"
	// maxStatusRequest bounds what a client may send, maxStatusReply what a
	// client is willing to read; both in bytes.
	maxStatusRequest = 256
	maxStatusReply   = 64 << 20
	statusTimeout    = 5 * time.Second
)

var (
	// ErrNotRunning reports that nobody answers on a status socket.
	ErrNotRunning = errors.New("no tunnel is running")
	// errBadRequest answers a request other than statusRequest.
	errBadRequest = errors.New("unknown request")
)

// FetchStatus asks the tunnel behind the status socket at path. The error is
// ErrNotRunning when there is none, and matches fs.ErrPermission when the
// caller may not ask.
func FetchStatus(ctx context.Context, path string) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("status socket: %w", err)
	} else if err != nil {
		return nil, fmt.Errorf("%w at %s: %v", ErrNotRunning, path, err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	if _, err := io.WriteString(conn, statusRequest+"\n"); err != nil {
		return nil, fmt.Errorf("status socket %s: %w", path, err)
	}
	reply, err := io.ReadAll(io.LimitReader(conn, maxStatusReply))
	if err != nil {
		return nil, fmt.Errorf("status socket %s: %w", path, err)
	}
	status, err := parseStatus(reply)
	if err != nil {
		return nil, fmt.Errorf("status socket %s: %w", path, err)
	}
	return status, nil
}

// parseStatus reads the server's answer: a status, or an object with an error.
func parseStatus(reply []byte) (*Status, error) {
	var answer struct {
		Error string `json:"error"`
		Status
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return nil, fmt.Errorf("answer is no status: %w", err)
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	return &answer.Status, nil
}

// listenStatus opens the status socket. A socket that a crashed process left
// behind is replaced; one that answers belongs to a running tunnel and is an
// error.
func listenStatus(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("status socket: %w", err)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("status socket %s: another tunnel is running there", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		os.Remove(path)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("status socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("status socket: %w", err)
	}
	return l, nil
}

// serveStatus answers one client after another until the listener is closed;
// snapshot is called once per valid request.
func serveStatus(l net.Listener, snapshot func() *Status) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conn.SetDeadline(time.Now().Add(statusTimeout))
		answerStatus(conn, snapshot)
		conn.Close()
	}
}

// answerStatus reads one request and writes the answer to it.
func answerStatus(conn io.ReadWriter, snapshot func() *Status) {
	encoder := json.NewEncoder(conn)
	if err := readStatusRequest(conn); err != nil {
		encoder.Encode(map[string]string{"error": err.Error()})
		return
	}
	encoder.Encode(snapshot())
}

// readStatusRequest reads one line of bounded length.
func readStatusRequest(r io.Reader) error {
	var line [maxStatusRequest]byte
	n := 0
	for n < len(line) {
		read, err := r.Read(line[n:])
		n += read
		if end := bytes.IndexByte(line[:n], '\n'); end >= 0 {
			if strings.TrimSpace(string(line[:end])) == statusRequest {
				return nil
			}
			return errBadRequest
		}
		if err != nil {
			return fmt.Errorf("request: %w", err)
		}
	}
	return errBadRequest
}
