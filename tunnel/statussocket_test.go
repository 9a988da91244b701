package tunnel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testSource answers with what it is told, and sounds the peer "storage".
type testSource func() *Status

func (s testSource) status() *Status { return s() }

func (testSource) sound(peer string) (*Sounding, error) {
	if peer != "storage" {
		return nil, errors.New("there is no such peer")
	}
	return &Sounding{Peer: peer, PLPMTU: 1400}, nil
}

func serveTestStatus(t *testing.T, snapshot testSource) (path string) {
	path = filepath.Join(t.TempDir(), "s.sock")
	l, err := listenStatus(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { serveStatus(l, snapshot); close(done) }()
	t.Cleanup(func() { l.Close(); <-done })
	return path
}

func TestStatusCrossesTheSocket(t *testing.T) {
	rtt := 12.5
	last := time.Unix(1_700_000_000, 0).UTC()
	want := &Status{Name: "fathom0", MTU: 1438, Dropped: map[string]uint64{"no_route": 3}, Peers: []PeerStatus{
		{Name: "a", State: PeerEstablished, RTTMillis: &rtt, LastHandshake: &last, PMTUD: PMTUDStatus{State: "search_complete", PLPMTU: 1500, InnerMTU: 1438, EgressMTU: 1500, Source: "discovery", History: []PLPMTUChange{}}},
		{Name: "b", State: PeerIdle},
	}}
	got, err := FetchStatus(context.Background(), serveTestStatus(t, func() *Status { return want }))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Peers[0], got.Peers[0], cmp.AllowUnexported(time.Time{})); diff != "" {
		t.Error(diff)
	}
	if got.Up() {
		t.Error("up, although a peer is idle")
	}
}

func TestSoundingCrossesTheSocket(t *testing.T) {
	path := serveTestStatus(t, func() *Status { return new(Status) })
	s, err := FetchSounding(context.Background(), path, "storage")
	if err != nil || s.Peer != "storage" || s.PLPMTU != 1400 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := FetchSounding(context.Background(), path, "nobody"); err == nil || !strings.HasSuffix(err.Error(), ": there is no such peer") {
		t.Errorf("error %v", err)
	}
}

func TestAClientThatSaysNothingKeepsNobodyWaiting(t *testing.T) {
	path := serveTestStatus(t, func() *Status { return new(Status) })
	silent, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	began := time.Now()
	if _, err := FetchStatus(context.Background(), path); err != nil || time.Since(began) > statusTimeout/2 {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestStatusSocketRefusesWhatItDoesNotKnow(t *testing.T) {
	path := serveTestStatus(t, func() *Status { return new(Status) })
	for _, request := range []string{"shutdown\n", "\n", "status now\n", "probe\n", strings.Repeat("x", 10*maxStatusRequest)} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(request))
		var reply bytes.Buffer
		reply.ReadFrom(conn)
		conn.Close()
		if len(request) <= maxStatusRequest && !strings.Contains(reply.String(), errBadRequest.Error()) {
			t.Errorf("request %.20q: reply %q", request, reply.String())
		}
		if strings.Contains(reply.String(), "peers") {
			t.Errorf("request %.20q was answered with a status", request)
		}
	}
}

func TestFetchStatusWithoutATunnel(t *testing.T) {
	_, err := FetchStatus(context.Background(), filepath.Join(t.TempDir(), "none.sock"))
	if !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v, want %v", err, ErrNotRunning)
	}
}

func TestListenStatus(t *testing.T) {
	t.Run("a socket that a crash left behind is replaced", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s.sock")
		stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		stale.SetUnlinkOnClose(false)
		stale.Close()
		l, err := listenStatus(path)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	})
	t.Run("a running tunnel's socket is left alone", func(t *testing.T) {
		path := serveTestStatus(t, func() *Status { return new(Status) })
		if l, err := listenStatus(path); err == nil {
			l.Close()
			t.Fatal("took the socket over")
		}
		if _, err := FetchStatus(context.Background(), path); err != nil {
			t.Errorf("the first tunnel no longer answers: %v", err)
		}
	})
	t.Run("a file that is no socket is left alone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "precious")
		os.WriteFile(path, []byte("data"), 0o600)
		if l, err := listenStatus(path); err == nil {
			l.Close()
			t.Fatal("replaced a file")
		}
		if data, _ := os.ReadFile(path); string(data) != "data" {
			t.Error("the file is changed")
		}
	})
	t.Run("others may not connect", func(t *testing.T) {
		path := serveTestStatus(t, func() *Status { return new(Status) })
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	})
}

type script struct {
	*bytes.Reader
	bytes.Buffer
}

func (s *script) Read(b []byte) (int, error) { return s.Reader.Read(b) }

func FuzzStatusRequest(f *testing.F) {
	f.Add([]byte("status\n"))
	f.Add([]byte("status"))
	f.Add([]byte("probe storage\n"))
	f.Add([]byte("stat\x00us\r\n"))
	f.Fuzz(func(t *testing.T, request []byte) {
		s := &script{Reader: bytes.NewReader(request)}
		answerStatus(s, testSource(func() *Status { return &Status{Name: "x"} }))
		var reply map[string]any
		if err := json.Unmarshal(s.Buffer.Bytes(), &reply); err != nil {
			t.Fatalf("the reply is no JSON: %v", err)
		}
		line, _, complete := bytes.Cut(request, []byte("\n"))
		wanted := complete && len(line) < maxStatusRequest && string(bytes.TrimSpace(line)) == statusRequest
		if answered := reply["name"] == "x"; answered != wanted {
			t.Errorf("request %q: answered %v", request, answered)
		}
	})
}

func FuzzStatusReply(f *testing.F) {
	f.Add([]byte(`{"name":"fathom0","peers":[{"name":"a","rtt_ms":1.5}]}`))
	f.Add([]byte(`{"error":"unknown request"}`))
	f.Fuzz(func(t *testing.T, reply []byte) {
		if s, err := parseAnswer[Status](reply); (s == nil) == (err == nil) {
			t.Errorf("status %v, error %v", s, err)
		}
		if s, err := parseAnswer[Sounding](reply); (s == nil) == (err == nil) {
			t.Errorf("sounding %v, error %v", s, err)
		}
	})
}
