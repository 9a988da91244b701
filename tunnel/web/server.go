package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"fathom/tunnel/metrics"
)

const (
	// maxConnections is how many clients are served at once; more wait. Those that
	// read events leave room for others.
	maxConnections = 64
	// maxScrapes is how many answers about metrics are made at once; more are refused.
	maxScrapes = 4
	// maxHeader bounds the header of a request, in bytes.
	maxHeader = 8 << 10

	// timeout bounds each step of an exchange: to send a request, to take a snapshot,
	// to receive an answer. idleTimeout is how long a connection stays between two.
	timeout     = 10 * time.Second
	idleTimeout = 30 * time.Second
)

// Source is the tunnel that is shown: see metrics.Source.
type Source = metrics.Source

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
	server.Serve(netutil.LimitListener(l, maxConnections))
	if stop() { // the listener was closed by others
		server.Close()
	} else {
		<-stopped
	}
	events.close()
}

// handler serves the documents.
func handler(source Source, events http.Handler, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", document())
	mux.Handle("GET /events", events)
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		s, err := source.Status(ctx)
		if err != nil {
			http.Error(w, "the tunnel does not tell its status: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(s) // the client may be gone
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.NewRegistry(source), promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		MaxRequestsInFlight: maxScrapes,
		Timeout:             timeout,
	}))
	return mux
}
