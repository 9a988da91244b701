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
	"sync"
	"time"
)

// The status socket is a Unix stream socket. A client sends one line, the
// server answers with one JSON document and closes. Who may connect is the
// file system's business: the socket is its owner's and its group's.
//
//	status        the Status
//	probe PEER    a Sounding of the path to the peer, made now
//
// An answer that is an object with "error" says what was wrong.

const (
	statusRequest = "status"
	probeRequest  = "probe"
	// maxStatusRequest bounds what a client may send, maxStatusReply what a
	// client is willing to read; both in bytes.
	maxStatusRequest = 256
	maxStatusReply   = 64 << 20
	statusTimeout    = 5 * time.Second
	// maxStatusClients is how many clients are answered at once.
	maxStatusClients = 16
)

var (
	// ErrNotRunning reports that nobody answers on a status socket.
	ErrNotRunning = errors.New("no tunnel is running")
	// errBadRequest answers a request that is none of those above.
	errBadRequest = errors.New("unknown request")
)

// FetchStatus asks the tunnel behind the status socket at path. The error is
// ErrNotRunning when there is none, and matches fs.ErrPermission when the
// caller may not ask.
func FetchStatus(ctx context.Context, path string) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	return ask[Status](ctx, path, statusRequest)
}

// FetchSounding has the tunnel behind the status socket sound the path to a
// peer, which takes some round trips. The errors are those of FetchStatus, and
// those of the sounding.
func FetchSounding(ctx context.Context, path, peer string) (*Sounding, error) {
	ctx, cancel := context.WithTimeout(ctx, soundingTimeout+statusTimeout)
	defer cancel()
	return ask[Sounding](ctx, path, probeRequest+" "+peer)
}

// ask sends a request and reads the answer.
func ask[Answer any](ctx context.Context, path, request string) (*Answer, error) {
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
	if _, err := io.WriteString(conn, request+"\n"); err != nil {
		return nil, fmt.Errorf("status socket %s: %w", path, err)
	}
	reply, err := io.ReadAll(io.LimitReader(conn, maxStatusReply))
	if err != nil {
		return nil, fmt.Errorf("status socket %s: %w", path, err)
	}
	answer, err := parseAnswer[Answer](reply)
	if err != nil {
		return nil, fmt.Errorf("status socket %s: %w", path, err)
	}
	return answer, nil
}

// parseAnswer reads the server's answer.
func parseAnswer[Answer any](reply []byte) (*Answer, error) {
	var failure struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(reply, &failure); err != nil {
		return nil, fmt.Errorf("the answer makes no sense: %w", err)
	}
	if failure.Error != "" {
		return nil, errors.New(failure.Error)
	}
	answer := new(Answer)
	if err := json.Unmarshal(reply, answer); err != nil {
		return nil, fmt.Errorf("the answer makes no sense: %w", err)
	}
	return answer, nil
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

// statusSource is what the status socket tells of.
type statusSource interface {
	status() *Status
	sound(peer string) (*Sounding, error)
}

// serveStatus answers clients until the listener is closed. It returns when
// the last has been answered.
func serveStatus(l net.Listener, source statusSource) {
	var clients sync.WaitGroup
	defer clients.Wait()
	free := make(chan struct{}, maxStatusClients)
	for {
		free <- struct{}{}
		conn, err := l.Accept()
		if err != nil {
			return
		}
		clients.Go(func() {
			defer func() { conn.Close(); <-free }()
			conn.SetReadDeadline(time.Now().Add(statusTimeout))
			answerStatus(conn, source)
		})
	}
}

// answerStatus reads one request and writes the answer to it.
func answerStatus(conn io.ReadWriter, source statusSource) {
	var answer any
	request, argument, err := readStatusRequest(conn)
	switch {
	case err != nil:
	case request == statusRequest && argument == "":
		answer = source.status()
	case request == probeRequest && argument != "":
		answer, err = source.sound(argument)
	default:
		err = errBadRequest
	}
	if err != nil {
		answer = map[string]string{"error": err.Error()}
	}
	if c, ok := conn.(net.Conn); ok {
		c.SetWriteDeadline(time.Now().Add(statusTimeout))
	}
	json.NewEncoder(conn).Encode(answer)
}

// readStatusRequest reads one line of bounded length: a word, and what follows
// it.
func readStatusRequest(r io.Reader) (request, argument string, err error) {
	var line [maxStatusRequest]byte
	n := 0
	for n < len(line) {
		read, err := r.Read(line[n:])
		n += read
		if end := bytes.IndexByte(line[:n], '\n'); end >= 0 {
			request, argument, _ = strings.Cut(strings.TrimSpace(string(line[:end])), " ")
			return request, argument, nil
		}
		if err != nil {
			return "", "", fmt.Errorf("request: %w", err)
		}
	}
	return "", "", errBadRequest
}
