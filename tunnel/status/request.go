package status

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	statusRequest = "status"
	probeRequest  = "probe" // followed by a space and the peer's name
	echoRequest   = "echo"  // likewise
	hopsRequest   = "hops"  // likewise
	factsRequest  = "facts" // likewise
	reloadRequest = "reload"
	// historyRequest is followed by the peer's name, or allPeers, and by how far back the
	// history is to go, in seconds.
	historyRequest = "history"
	allPeers       = "*"

	// maxRequest bounds a request, maxAnswer an answer, both in bytes.
	maxRequest = 256
	maxAnswer  = 64 << 20

	// timeout bounds each step of a request: to send it, to take a snapshot, to
	// send the answer.
	timeout = 5 * time.Second
)

// ProbeTimeout, HopsTimeout, EchoTimeout and FactsTimeout are the longest times that the
// Probe, the Hops, the Echo and the Facts of a Source may take.
const (
	ProbeTimeout = 20 * time.Second
	HopsTimeout  = 20 * time.Second
	EchoTimeout  = 20 * time.Second
	FactsTimeout = 10 * time.Second
)

// errBadRequest answers a request that the protocol does not have.
var errBadRequest = errors.New("unknown request")

// Errors of a Source that a client can tell from others: what Probe, Hops and Echo of this
// package return matches them, too.
var (
	// ErrNoPeer reports that the tunnel has no peer of the name asked for.
	ErrNoPeer = errors.New("no such peer")
	// ErrNoAnswer reports that the peer has not answered within EchoTimeout, or the
	// tunnel not within a few seconds.
	ErrNoAnswer = errors.New("no answer")
	// ErrShutdown answers requests that the end of the tunnel has cut short.
	ErrShutdown = errors.New("the tunnel is shutting down")
	// ErrRestart reports that a reload could not change a part of the configuration, and
	// has changed nothing.
	ErrRestart = errors.New("the new configuration needs a restart")
)

// codes are the codes of these errors in a refusal.
var codes = map[string]error{"no_peer": ErrNoPeer, "no_answer": ErrNoAnswer, "shutdown": ErrShutdown, "restart": ErrRestart}

// refusal is the answer to a request that has failed. Code is for programs; empty:
// the error is of no particular kind.
type refusal struct {
	Error string `json:"error"`
	Code  string `json:"code,omitempty"`
}

// newRefusal returns the answer that tells of an error.
func newRefusal(err error) refusal {
	r := refusal{Error: err.Error()}
	for code, kind := range codes {
		if errors.Is(err, kind) {
			r.Code = code
		}
	}
	return r
}

// refused returns the error that the server has sent, nil without one.
func (r *refusal) refused() error {
	if r.Error == "" {
		return nil
	}
	if kind := codes[r.Code]; kind != nil {
		return &remoteError{r.Error, kind}
	}
	return errors.New(r.Error)
}

// remoteError is an error of the server's, in its words, and its kind.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }

// readRequest reads one line of bounded length and returns it without the white
// space around it.
func readRequest(r io.Reader) (string, error) {
	var line [maxRequest]byte
	for n := 0; n < len(line); {
		read, err := r.Read(line[n:])
		n += read
		if end := bytes.IndexByte(line[:n], '\n'); end >= 0 {
			return strings.TrimSpace(string(line[:end])), nil
		}
		if err != nil {
			return "", fmt.Errorf("request: %w", err)
		}
	}
	return "", errBadRequest
}
