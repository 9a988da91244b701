package status

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// maxClients is how many clients are served at once; more wait.
	maxClients = 16
	// acceptPause is how long to wait after a connection could not be accepted,
	// usually for want of file descriptors.
	acceptPause = 100 * time.Millisecond
)

// Source is the tunnel that a server shows. Several goroutines may call it at
// once. All methods return early, with any error, when ctx ends.
type Source interface {
	// Status takes a snapshot. The server only reads it.
	Status(ctx context.Context) (*Status, error)
	// Probe measures the path to the named peer, within ProbeTimeout. It sends
	// no more probes once ctx has ended.
	Probe(ctx context.Context, peer string) (*ProbeReport, error)
	// Hops measures the hops to the named peer, and has the peer measure those of the
	// other direction, within HopsTimeout.
	Hops(ctx context.Context, peer string) (*HopsReport, error)
	// Echo asks the named peer for an answer, and again until one comes: to an echo
	// that was sent after the call. A peer without an SA is called first. The error
	// matches ErrNoAnswer after EchoTimeout.
	Echo(ctx context.Context, peer string) (*EchoReport, error)
	// Facts asks the named peer how it is set up, within FactsTimeout. The error matches
	// ErrNoAnswer where the peer tells nothing.
	Facts(ctx context.Context, peer string) (*FactsReport, error)
	// Reload reads the configuration file again and changes what is different, all of
	// it or nothing. It goes on when ctx ends.
	Reload(ctx context.Context) (*ReloadReport, error)
	// History returns what is remembered of the peers.
	History(ctx context.Context, q HistoryQuery) (*History, error)
}

// Serve answers clients until ctx ends, which closes l, or until l is closed.
// It then ends the requests under way and returns when they have been answered.
// When it cannot accept connections it logs that, and tries again.
func Serve(ctx context.Context, l net.Listener, source Source, log *slog.Logger) {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { l.Close() })
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	free := make(chan struct{}, maxClients)
	failing := false
	for {
		free <- struct{}{}
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			<-free
			if !failing {
				log.Warn("cannot accept connections on the status socket", "error", err)
			}
			failing = true
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
				return
			}
			continue
		}
		failing = false
		clients.Go(func() {
			defer func() { <-free }()
			serveClient(ctx, conn, source)
		})
	}
}

// serveClient reads one request, answers it and closes the connection.
func serveClient(ctx context.Context, conn net.Conn, source Source) {
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer conn.Close()
	defer cancel()

	conn.SetReadDeadline(time.Now().Add(timeout))
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })
	request, err := readRequest(conn)
	stop()
	conn.SetReadDeadline(time.Time{})
	watch.Go(func() {
		if awaitHangup(conn) {
			cancel()
		}
	})
	reply := answer(ctx, source, request, err)
	conn.SetWriteDeadline(time.Now().Add(timeout))
	json.NewEncoder(conn).Encode(reply) // the client may be gone
}

// answer returns the document that answers a request; err is the error that
// reading the request has ended with.
func answer(ctx context.Context, source Source, request string, err error) any {
	var document any
	verb, argument, _ := strings.Cut(request, " ")
	switch {
	case err != nil:
	case verb == statusRequest && argument == "":
		document, err = source.Status(ctx)
	case verb == probeRequest && argument != "":
		document, err = source.Probe(ctx, argument)
	case verb == hopsRequest && argument != "":
		document, err = source.Hops(ctx, argument)
	case verb == echoRequest && argument != "":
		document, err = source.Echo(ctx, argument)
	case verb == factsRequest && argument != "":
		document, err = source.Facts(ctx, argument)
	case verb == reloadRequest && argument == "":
		document, err = source.Reload(ctx)
	case verb == historyRequest:
		var q HistoryQuery
		if q, err = parseHistoryQuery(argument); err == nil {
			document, err = source.History(ctx, q)
		}
	default:
		err = errBadRequest
	}
	switch {
	case err == nil:
		return document
	case ctx.Err() != nil:
		err = ErrShutdown // or the client has left, and does not read this
	}
	return newRefusal(err)
}
