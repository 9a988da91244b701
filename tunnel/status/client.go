package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"
)

// ErrNotRunning reports that no tunnel answers on a status socket.
var ErrNotRunning = errors.New("no tunnel is running")

// Fetch asks the tunnel behind the status socket at path for its status. The
// error matches ErrNotRunning when there is no tunnel, and fs.ErrPermission when
// the caller may not ask.
func Fetch(ctx context.Context, path string) (*Status, error) {
	var answer statusReply
	if err := ask(ctx, path, statusRequest, timeout, &answer); err != nil {
		return nil, err
	}
	return &answer.Status, nil
}

// Probe has the tunnel behind the status socket at path measure the path to a
// peer, which takes some round trips. The probe ends with ctx. Errors are as for
// Fetch.
func Probe(ctx context.Context, path, peer string) (*ProbeReport, error) {
	var answer probeReply
	if err := ask(ctx, path, probeRequest+" "+peer, ProbeTimeout+timeout, &answer); err != nil {
		return nil, err
	}
	return &answer.ProbeReport, nil
}

// Hops has the tunnel behind the status socket at path measure the hops to a peer, in both
// directions. The measurement ends with ctx. Errors are as for Fetch; besides they match
// ErrNoPeer.
func Hops(ctx context.Context, path, peer string) (*HopsReport, error) {
	var answer hopsReply
	if err := ask(ctx, path, hopsRequest+" "+peer, HopsTimeout+timeout, &answer); err != nil {
		return nil, err
	}
	return &answer.HopsReport, nil
}

// Echo has the tunnel behind the status socket at path ask a peer for an answer, for
// up to EchoTimeout. Errors are as for Fetch; besides they match ErrNoPeer and
// ErrNoAnswer.
func Echo(ctx context.Context, path, peer string) (*EchoReport, error) {
	var answer echoReply
	if err := ask(ctx, path, echoRequest+" "+peer, EchoTimeout+timeout, &answer); err != nil {
		return nil, err
	}
	return &answer.EchoReport, nil
}

// Facts has the tunnel behind the status socket at path ask a peer how it is set up.
// Errors are as for Echo.
func Facts(ctx context.Context, path, peer string) (*FactsReport, error) {
	var answer factsReply
	if err := ask(ctx, path, factsRequest+" "+peer, FactsTimeout+timeout, &answer); err != nil {
		return nil, err
	}
	return &answer.FactsReport, nil
}

// Reload has the tunnel behind the status socket at path read its configuration again.
// Errors are as for Fetch; besides they match ErrRestart.
func Reload(ctx context.Context, path string) (*ReloadReport, error) {
	var answer reloadReply
	if err := ask(ctx, path, reloadRequest, reloadTimeout, &answer); err != nil {
		return nil, err
	}
	return &answer.ReloadReport, nil
}

// FetchHistory asks the tunnel behind the status socket at path for its history. Errors
// are as for Fetch; besides they match ErrNoPeer.
func FetchHistory(ctx context.Context, path string, q HistoryQuery) (*History, error) {
	var answer historyReply
	if err := ask(ctx, path, historyRequest+" "+q.String(), timeout, &answer); err != nil {
		return nil, err
	}
	return &answer.History, nil
}

// A reply is a document or the reason for its absence, decoded in one pass.
type reply interface{ refused() error }

type statusReply struct {
	Status
	refusal
}

type probeReply struct {
	ProbeReport
	refusal
}

type historyReply struct {
	History
	refusal
}

type hopsReply struct {
	HopsReport
	refusal
}

type echoReply struct {
	EchoReport
	refusal
}

type factsReply struct {
	FactsReport
	refusal
}

type reloadReply struct {
	ReloadReport
	refusal
}

// ask sends a request and decodes the answer into a reply.
func ask(ctx context.Context, path, request string, patience time.Duration, into reply) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%w within %v", ErrNoAnswer, patience))
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("status socket: %w", err)
	case err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded): // which may be seen before ctx ends
		return fmt.Errorf("%w at %s: %v", ErrNotRunning, path, err)
	case err == nil:
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()
		err = exchange(conn, request, into)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("status socket %s: %w", path, err)
	}
	return nil
}

// exchange sends a request, reads the answer and decodes it.
func exchange(conn io.ReadWriter, request string, into reply) error {
	if _, err := io.WriteString(conn, request+"\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, maxAnswer))
	if len(answer) == 0 && (err == nil || errors.Is(err, syscall.ECONNRESET)) {
		return fmt.Errorf("%w any more: it has ended without an answer", ErrNotRunning)
	}
	if err != nil {
		return err
	}
	return decode(answer, into)
}

// decode decodes an answer.
func decode(answer []byte, into reply) error {
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("the answer makes no sense: %w", err)
	}
	return into.refused()
}
