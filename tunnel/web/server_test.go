package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fathom/tunnel/status"
)

// tunnel is a Source; its status is taken down by number.
type tunnel struct {
	peers int
	err   error
	taken chan struct{} // receives for each status, if there is room
}

func (s tunnel) Status(context.Context) (*status.Status, error) {
	select {
	case s.taken <- struct{}{}:
	default:
	}
	return &status.Status{Name: "fathom0", Peers: make([]status.Peer, s.peers)}, s.err
}

func (s tunnel) History(_ context.Context, q status.HistoryQuery) (*status.History, error) {
	if q.Peer != "storage" {
		return nil, fmt.Errorf("%w: %q", status.ErrNoPeer, q.Peer)
	}
	return &status.History{Name: "fathom0", From: time.Unix(0, 0), To: time.Unix(0, 0).Add(q.Since)}, nil
}

var noLog = slog.New(slog.DiscardHandler)

// pipes is a listener in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error { close(p); return nil }
func (pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9586} }

// serveInMemory serves until the returned function is called, in a bubble of synctest.
func serveInMemory(source Source) (l pipes, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	l = make(pipes)
	done := make(chan struct{})
	go func() { defer close(done); Serve(ctx, l, source, noLog) }()
	return l, func() { cancel(); <-done }
}

// ask sends a request for a path and returns the connection.
func (p pipes) ask(path string) net.Conn {
	client, server := net.Pipe()
	p <- server
	go io.WriteString(client, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1:9586\r\n\r\n")
	return client
}

// events asks for them.
func (p pipes) events(t *testing.T) (conn net.Conn, in *bufio.Reader) {
	t.Helper()
	conn = p.ask("/events")
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v, %v", r, err)
	}
	return conn, bufio.NewReader(r.Body)
}

// nextEvent reads one.
func nextEvent(t *testing.T, in *bufio.Reader) (e event) {
	t.Helper()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatal(err)
			}
			return e
		}
	}
}

func TestEventsComeOnceASecondOrLessOftenWithManyPeers(t *testing.T) {
	for peers, want := range map[int]time.Duration{1: time.Second, 50: time.Second, 3000: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			l, stop := serveInMemory(tunnel{peers: peers})
			defer stop()
			conn, in := l.events(t)
			defer conn.Close()
			began := time.Now()
			for i := range 5 {
				e := nextEvent(t, in)
				if at := time.Since(began); at != time.Duration(i)*want || e.Status.Name != "fathom0" || e.Interval != want.Milliseconds() || !e.Now.Equal(time.Now()) {
					t.Errorf("%d peers: event %d after %v: %+v", peers, i, at, e)
				}
			}
		})
	}
}

func TestTheStatusIsTakenForReadersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := tunnel{taken: make(chan struct{}, 1000)}
		l, stop := serveInMemory(source)
		defer stop()
		time.Sleep(time.Hour)
		if n := len(source.taken); n > 0 {
			t.Errorf("%d times without a reader", n)
		}
		const readers = 3
		var conns []net.Conn
		for range readers {
			conn := l.ask("/events")
			conns = append(conns, conn)
			go io.Copy(io.Discard, conn)
		}
		time.Sleep(10*time.Second + time.Millisecond)
		if n := len(source.taken); n != 11 {
			t.Errorf("%d times in ten seconds for %d readers", n, readers)
		}
		for _, conn := range conns {
			conn.Close()
		}
		time.Sleep(2 * time.Second)
		before := len(source.taken)
		time.Sleep(time.Hour)
		if n := len(source.taken) - before; n > 0 {
			t.Errorf("%d times after the last reader has left", n)
		}
	})
}

// TestAReaderThatDoesNotReadIsLetGo, and holds up neither others nor the tunnel.
func TestAReaderThatDoesNotReadIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := serveInMemory(tunnel{})
		defer stop()
		stuck := l.ask("/events")
		reader, in := l.events(t)
		defer reader.Close()
		began := time.Now()
		for i := range 30 {
			nextEvent(t, in)
			if at := time.Since(began); at > time.Duration(i+1)*time.Second {
				t.Fatalf("event %d after %v", i, at)
			}
		}
		if _, err := io.ReadAll(stuck); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the connection of the one that does not read: %v", err)
		}
	})
}

func TestOnlySoManyRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := serveInMemory(tunnel{})
		defer stop()
		var conns []net.Conn
		for range maxReaders {
			conn, in := l.events(t)
			nextEvent(t, in)
			go io.Copy(io.Discard, conn)
			conns = append(conns, conn)
		}
		refused := l.ask("/events")
		defer refused.Close()
		r, err := http.ReadResponse(bufio.NewReader(refused), nil)
		if err != nil || r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
			t.Errorf("one more: %v, %v", r, err)
		}
		conns[0].Close()
		time.Sleep(2 * time.Second)
		var in *bufio.Reader
		conns[0], in = l.events(t)
		nextEvent(t, in)
		for _, conn := range conns {
			conn.Close()
		}
	})
}

func TestAClientThatSaysNothingIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := serveInMemory(tunnel{})
		defer stop()
		client, server := net.Pipe()
		l <- server
		began := time.Now()
		go io.WriteString(client, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
		io.ReadAll(client)
		if waited := time.Since(began); waited != timeout {
			t.Errorf("let go after %v", waited)
		}
	})
}

func TestTheEndOfTheTunnelEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := serveInMemory(tunnel{})
		_, in := l.events(t)
		nextEvent(t, in)
		began := time.Now()
		stop()
		if _, err := io.ReadAll(in); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestTroubleIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := serveInMemory(tunnel{err: errors.New("it hangs")})
		defer stop()
		conn, in := l.events(t)
		defer conn.Close()
		if e := nextEvent(t, in); e.Status != nil || !strings.HasSuffix(e.Trouble, "it hangs") {
			t.Errorf("%+v", e)
		}
	})
}

// TestOtherSitesAreKeptOut that a browser on this host may visit.
func TestOtherSitesAreKeptOut(t *testing.T) {
	for _, test := range []struct {
		name, path, host, site, mode string
		unix                         bool
		want                         int
	}{
		{"Prometheus", "/metrics", "127.0.0.1:9586", "", "", false, 200},
		{"IPv6", "/metrics", "[::1]:9586", "", "", false, 200},
		{"without a port", "/metrics", "[::1]", "", "", false, 200},
		{"localhost", "/", "localhost:9586", "none", "navigate", false, 200},
		{"the page's own", "/status", "127.0.0.1:9586", "same-origin", "cors", false, 200},
		{"a link from elsewhere", "/", "127.0.0.1:9586", "cross-site", "navigate", false, 200},
		{"a window that another site opens", "/events", "127.0.0.1:9586", "cross-site", "navigate", false, 403},
		{"a link to a document", "/status", "127.0.0.1:9586", "same-site", "navigate", false, 403},
		{"a name that resolves to the loopback", "/status", "evil.example:9586", "same-origin", "cors", false, 421},
		{"no host", "/status", "", "", "", false, 421},
		{"another site", "/status", "127.0.0.1:9586", "cross-site", "no-cors", false, 403},
		{"another port of this host", "/events", "127.0.0.1:9586", "same-site", "cors", false, 403},
		{"a proxy to a socket", "/metrics", "metrics.example.org", "", "", true, 200},
		{"the history", "/history?peer=storage&seconds=86400", "127.0.0.1:9586", "same-origin", "cors", false, 200},
		{"the history of nobody", "/history?peer=x&seconds=86400", "127.0.0.1:9586", "", "", false, 404},
		{"all history", "/history?peer=storage&seconds=4000000000", "127.0.0.1:9586", "", "", false, 400},
		{"the history of no time", "/history?peer=storage", "127.0.0.1:9586", "", "", false, 400},
		{"another path", "/etc/passwd", "127.0.0.1:9586", "", "", false, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", test.path, nil)
			r.Host = test.host
			r.Header.Set("Sec-Fetch-Site", test.site)
			r.Header.Set("Sec-Fetch-Mode", test.mode)
			w := httptest.NewRecorder()
			guard(test.unix, handler(tunnel{}, newStream(tunnel{}), noLog)).ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("status %d, want %d", w.Code, test.want)
			}
			if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; ") || strings.Contains(got, "unsafe") {
				t.Errorf("policy %q", got)
			}
		})
	}
}

func TestNothingCanBeChanged(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		for _, path := range []string{"/", "/status", "/events", "/metrics"} {
			r := httptest.NewRequest(method, path, nil)
			r.Host = "127.0.0.1:9586"
			w := httptest.NewRecorder()
			guard(false, handler(tunnel{}, newStream(tunnel{}), noLog)).ServeHTTP(w, r)
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: status %d", method, path, w.Code)
			}
		}
	}
}

func TestListen(t *testing.T) {
	if l, err := Listen(netip.AddrPort{}, ""); l != nil || err != nil {
		t.Errorf("with neither: %v, %v", l, err)
	}
	socket := filepath.Join(t.TempDir(), "m.sock")
	for _, at := range []struct {
		addr   netip.AddrPort
		socket string
	}{{netip.MustParseAddrPort("127.0.0.1:0"), ""}, {netip.AddrPort{}, socket}} {
		l, err := Listen(at.addr, at.socket)
		if err != nil {
			t.Fatal(err)
		}
		again := at.addr
		if at.addr.IsValid() {
			again = netip.MustParseAddrPort(l.Addr().String())
		}
		if second, err := Listen(again, at.socket); second != nil || err == nil || !strings.HasPrefix(err.Error(), "metrics") {
			t.Errorf("a second one at %v: %v, %v", l.Addr(), second, err)
		}
		l.Close()
	}
}
