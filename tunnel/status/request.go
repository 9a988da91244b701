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

	// maxRequest bounds a request, maxAnswer an answer, both in bytes.
	maxRequest = 256
	maxAnswer  = 64 << 20

	// timeout bounds each step of a request: to send it, to take a snapshot, to
	// send the answer.
	timeout = 5 * time.Second
)

// ProbeTimeout is the longest time that the Probe of a Source may take.
const ProbeTimeout = 20 * time.Second

// errBadRequest answers a request that the protocol does not have.
var errBadRequest = errors.New("unknown request")

// refusal is the answer to a request that has failed.
type refusal struct {
	Error string `json:"error"`
}

// refused returns the error that the server has sent, nil without one.
func (r *refusal) refused() error {
	if r.Error == "" {
		return nil
	}
	return errors.New(r.Error)
}

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
