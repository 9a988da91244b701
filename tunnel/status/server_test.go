package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"fathom/tunnel/history"
)

// atMost is far longer than anything here takes on any machine.
const atMost = time.Minute

// testSource shows a status, and knows the peer "storage". Probes of other peers
// fail, except that with hanging one of "far" lasts until its context ends.
type testSource struct {
	status  *Status // nil: an empty one
	hanging *hanging
}

type hanging struct{ began, ended chan struct{} }

func newHanging() *hanging { return &hanging{make(chan struct{}), make(chan struct{})} }

func (s testSource) Status(context.Context) (*Status, error) {
	if s.status == nil {
		return new(Status), nil
	}
	return s.status, nil
}

func (s testSource) Probe(ctx context.Context, peer string) (*ProbeReport, error) {
	switch {
	case peer == "storage":
		return &ProbeReport{Peer: peer, PLPMTU: 1400}, nil
	case peer == "far" && s.hanging != nil:
		close(s.hanging.began)
		<-ctx.Done()
		close(s.hanging.ended)
		return nil, context.Cause(ctx)
	}
	return nil, errors.New("there is no such peer")
}

func (s testSource) Reload(context.Context) (*ReloadReport, error) {
	return &ReloadReport{Added: []string{"storage"}}, nil
}

func (s testSource) History(_ context.Context, q HistoryQuery) (*History, error) {
	if q.Peer == "nobody" {
		return nil, fmt.Errorf("%w: %s", ErrNoPeer, q.Peer)
	}
	return &History{Schema: HistorySchema, Name: "fathom0", Peers: []string{q.Peer}, To: time.Unix(0, 0).UTC().Add(q.Since), Records: []history.Record{}}, nil
}

func (s testSource) Hops(_ context.Context, peer string) (*HopsReport, error) {
	if peer == "storage" {
		return sampleHops(), nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNoPeer, peer)
}

func (s testSource) Facts(_ context.Context, peer string) (*FactsReport, error) {
	switch peer {
	case "storage":
		return sampleFacts(), nil
	case "silent":
		return nil, fmt.Errorf("%w of peer silent", ErrNoAnswer)
	}
	return nil, fmt.Errorf("%w: %s", ErrNoPeer, peer)
}

func (s testSource) Echo(_ context.Context, peer string) (*EchoReport, error) {
	switch peer {
	case "storage":
		return &EchoReport{Peer: peer, Endpoint: "192.0.2.2:4500", RTTMillis: 1.5}, nil
	case "silent":
		return nil, fmt.Errorf("%w of peer silent", ErrNoAnswer)
	}
	return nil, fmt.Errorf("%w: %s", ErrNoPeer, peer)
}

func listen(t *testing.T) (l *net.UnixListener, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	return l, path
}

var noLog = slog.New(slog.DiscardHandler)

// start serves on a listener until the test ends. stop ends the server earlier
// and waits until it has ended.
func start(t *testing.T, l net.Listener, source Source, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { Serve(ctx, l, source, log); close(done) }()
	stop = func() { cancel(); await(t, "the end of the server", done) }
	t.Cleanup(stop)
	return stop
}

func serve(t *testing.T, source Source) (path string) {
	t.Helper()
	l, path := listen(t)
	start(t, l, source, noLog)
	return path
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(atMost):
		t.Fatalf("not within %v: %s", atMost, what)
	}
}

// send connects and sends a request.
func send(t *testing.T, path, request string) *net.UnixConn {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return conn
}

// pipes is a listener in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error { return nil }
func (pipes) Addr() net.Addr { return nil }

func TestAClientThatSaysNothingKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := make(pipes)
		go Serve(context.Background(), l, testSource{}, noLog)
		connect := func() net.Conn {
			client, server := net.Pipe()
			l <- server
			return client
		}
		silent, client := connect(), connect()
		began := time.Now()
		io.WriteString(client, statusRequest+"\n")
		if reply, err := io.ReadAll(client); err != nil || time.Since(began) > 0 {
			t.Errorf("after %v: %q, %v", time.Since(began), reply, err)
		}
		if _, err := io.ReadAll(silent); err != nil || time.Since(began) != timeout {
			t.Errorf("the silent one is let go after %v: %v", time.Since(began), err)
		}
		close(l)
	})
}

func TestStatusSocketRefusesWhatItDoesNotKnow(t *testing.T) {
	path := serve(t, testSource{})
	for _, request := range []string{"shutdown\n", "\n", "status now\n", "probe\n", strings.Repeat("x", 10*maxRequest)} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(request))
		var reply bytes.Buffer
		reply.ReadFrom(conn)
		conn.Close()
		if len(request) <= maxRequest && !strings.Contains(reply.String(), errBadRequest.Error()) {
			t.Errorf("request %.20q: reply %q", request, reply.String())
		}
		if strings.Contains(reply.String(), "peers") {
			t.Errorf("request %.20q was answered with a status", request)
		}
	}
}

func TestAClientThatLeavesEndsItsProbe(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(t *testing.T, path string, began <-chan struct{})
	}{
		{"by closing its connection", func(t *testing.T, path string, began <-chan struct{}) {
			conn := send(t, path, "probe far\n")
			await(t, "the probe", began)
			conn.Close()
		}},
		{"by closing its connection after having closed one direction", func(t *testing.T, path string, began <-chan struct{}) {
			conn := send(t, path, "probe far\n")
			conn.CloseWrite()
			await(t, "the probe", began)
			conn.Close()
		}},
		{"by closing its connection, in which more has been sent", func(t *testing.T, path string, began <-chan struct{}) {
			conn := send(t, path, "probe far\nand more")
			await(t, "the probe", began)
			conn.Close()
		}},
		{"by its context", func(t *testing.T, path string, began <-chan struct{}) {
			enough := errors.New("enough")
			ctx, cancel := context.WithCancelCause(context.Background())
			failed := make(chan error, 1)
			go func() { failed <- ask(ctx, path, "probe far", time.Hour, new(probeReply)) }()
			await(t, "the probe", began)
			cancel(enough)
			select {
			case err := <-failed:
				if !errors.Is(err, enough) {
					t.Errorf("error %v", err)
				}
			case <-time.After(atMost):
				t.Fatal("the client waits on")
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHanging()
			path := serve(t, testSource{hanging: h})
			test.leave(t, path, h.began)
			await(t, "the end of the probe", h.ended)
		})
	}
}

// TestAClientThatHasSaidAllStaysForTheAnswer closes one direction only, as
// socat does at the end of its input.
func TestAClientThatHasSaidAllStaysForTheAnswer(t *testing.T) {
	l, path := listen(t)
	h := newHanging()
	stop := start(t, l, testSource{hanging: h}, noLog)
	conn := send(t, path, "probe far\n")
	conn.CloseWrite()
	await(t, "the probe", h.began)
	select {
	case <-h.ended:
		t.Error("the probe has ended")
	case <-time.After(50 * time.Millisecond): // can miss a failure, but invents none
	}
	stop()
	if reply, err := io.ReadAll(conn); err != nil || string(reply) != `{"error":"the tunnel is shutting down","code":"shutdown"}`+"\n" {
		t.Errorf("%q, %v", reply, err)
	}
}

func TestTheEndOfTheServerEndsRequests(t *testing.T) {
	t.Run("a probe", func(t *testing.T) {
		l, path := listen(t)
		h := newHanging()
		stop := start(t, l, testSource{hanging: h}, noLog)
		failed := make(chan error, 1)
		go func() { _, err := Probe(context.Background(), path, "far"); failed <- err }()
		await(t, "the probe", h.began)
		stop()
		if err := <-failed; err == nil || !strings.HasSuffix(err.Error(), ": "+ErrShutdown.Error()) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("that has not been sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, silent := net.Pipe()
			go io.Copy(io.Discard, client) // the refusal
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			began := time.Now()
			serveClient(ctx, silent, testSource{})
			if waited := time.Since(began); waited > 0 {
				t.Errorf("waited %v for a silent client", waited)
			}
		})
	})
	t.Run("when every place is taken", func(t *testing.T) {
		l, path := listen(t)
		stop := start(t, l, testSource{}, noLog)
		for range maxClients + 1 {
			send(t, path, "")
		}
		stop()
	})
	t.Run("whose listener is closed", func(t *testing.T) {
		l, path := listen(t)
		h := newHanging()
		done := make(chan struct{})
		go func() { Serve(context.Background(), l, testSource{hanging: h}, noLog); close(done) }()
		send(t, path, "probe far\n")
		await(t, "the probe", h.began)
		l.Close()
		await(t, "the end of the server", done)
	})
}

// failingListener fails to accept at first, as when the process has no file
// descriptor left.
type failingListener struct {
	net.Listener
	failures atomic.Int32 // still to come
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "unix", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestAConnectionThatIsNotAcceptedIsNotTheEnd(t *testing.T) {
	l, path := listen(t)
	failing := &failingListener{Listener: l}
	failing.failures.Store(3)
	var log bytes.Buffer
	stop := start(t, failing, testSource{}, slog.New(slog.NewTextHandler(&log, nil)))
	if _, err := Fetch(context.Background(), path); err != nil {
		t.Error(err)
	}
	stop()
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "too many open files") {
		t.Errorf("logged\n%s", &log)
	}
}

func TestAServerThatAcceptsNothingCanEnd(t *testing.T) {
	l, _ := listen(t)
	failing := &failingListener{Listener: l}
	failing.failures.Store(1 << 30)
	start(t, failing, testSource{}, noLog)()
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("status\n"))
	f.Add([]byte("status"))
	f.Add([]byte("probe storage\n"))
	f.Add([]byte("stat\x00us\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		request, err := readRequest(bytes.NewReader(data))
		text, err := json.Marshal(answer(context.Background(), testSource{status: &Status{Name: "x"}}, request, err))
		if err != nil {
			t.Fatalf("the reply is no JSON: %v", err)
		}
		var reply map[string]any
		if err := json.Unmarshal(text, &reply); err != nil {
			t.Fatalf("the reply is no JSON: %v", err)
		}
		line, _, complete := bytes.Cut(data, []byte("\n"))
		wanted := complete && len(line) < maxRequest && string(bytes.TrimSpace(line)) == statusRequest
		if answered := reply["name"] == "x"; answered != wanted {
			t.Errorf("request %q: answered %v", data, answered)
		}
	})
}
