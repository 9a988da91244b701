package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"fathom/tunnel/metrics"
	"fathom/tunnel/status"
)

const (
	// maxConnections is how many clients are served at once; more wait. Those that
	// read events leave room for others.
	maxConnections = 64
	// maxScrapes is how many answers about metrics are made at once; more are refused.
	maxScrapes = 4
	// maxHistories is how many histories are put together and sent at once; more wait.
	maxHistories = 4
	// maxHeader bounds the header of a request, in bytes.
	maxHeader = 8 << 10

	// timeout bounds each step of an exchange: to send a request, to take a snapshot,
	// to receive an answer. idleTimeout is how long a connection stays between two.
	timeout     = 10 * time.Second
	idleTimeout = 30 * time.Second
)

// Source is the tunnel that is shown. Several goroutines may call it at once; its methods
// return early when ctx ends.
type Source interface {
	metrics.Source
	// History returns what is remembered of the peers.
	History(ctx context.Context, q status.HistoryQuery) (*status.History, error)
}

// Serve answers clients until ctx ends, which closes l. It returns when all of them have
// left.
func Serve(ctx context.Context, l net.Listener, source Source, log *slog.Logger) {
	events := newStream(source)
	server := &http.Server{
		Handler:           guard(l.Addr().Network() == "unix", handler(source, events, log)),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: timeout,
		ReadTimeout:       timeout,
		WriteTimeout:      2 * timeout, // readers of events have their own
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // of clients' mistakes
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		ending, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ending) != nil {
			server.Close()
		}
	})
	if err := server.Serve(netutil.LimitListener(l, maxConnections)); ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
		log.Error("metrics and the page are served no longer", "error", err)
	}
	if stop() { // the listener was closed by others
		server.Close()
	} else {
		<-stopped
	}
	events.close()
}

// handler serves the documents.
func handler(source Source, events http.Handler, log *slog.Logger) http.Handler {
	source = newRecent(source)
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", pageHandler())
	mux.Handle("GET /events", events)
	mux.HandleFunc("GET /status", document(func(ctx context.Context, _ url.Values) (any, error) { return source.Status(ctx) }))
	mux.Handle("GET /history", few(maxHistories, document(func(ctx context.Context, asked url.Values) (any, error) {
		seconds, err := strconv.ParseUint(asked.Get("seconds"), 10, 32)
		if err != nil || time.Duration(seconds)*time.Second > maxHistory {
			return nil, errBadHistory
		}
		return source.History(ctx, status.HistoryQuery{Peer: asked.Get("peer"), Since: time.Duration(seconds) * time.Second})
	})))
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.NewRegistry(source), promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		MaxRequestsInFlight: maxScrapes,
		Timeout:             timeout,
	}))
	return mux
}

// document serves one as JSON.
func document(take func(ctx context.Context, asked url.Values) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		d, err := take(ctx, r.URL.Query())
		switch {
		case errors.Is(err, errBadHistory):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case errors.Is(err, status.ErrNoPeer):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, "the tunnel does not answer: "+err.Error(), http.StatusServiceUnavailable)
		default:
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(d) // the client may be gone
		}
	}
}

// maxHistory is how far back the page looks.
const maxHistory = 7 * 24 * time.Hour

var errBadHistory = errors.New("seconds is a number, of up to a week")
