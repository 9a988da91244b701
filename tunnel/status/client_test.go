package status

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestAStatusCrossesTheSocket(t *testing.T) {
	want := sampleStatus()
	got, err := Fetch(context.Background(), serve(t, testSource{status: want}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(want.Addresses[0])); diff != "" {
		t.Error(diff)
	}
	if got.Up() {
		t.Error("up, although a peer is idle")
	}
}

func TestAProbeCrossesTheSocket(t *testing.T) {
	path := serve(t, testSource{})
	r, err := Probe(context.Background(), path, "storage")
	if err != nil || r.Peer != "storage" || r.PLPMTU != 1400 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := Probe(context.Background(), path, "nobody"); err == nil || !strings.HasSuffix(err.Error(), ": there is no such peer") {
		t.Errorf("error %v", err)
	}
}

func TestHopsCrossTheSocket(t *testing.T) {
	path := serve(t, testSource{})
	r, err := Hops(context.Background(), path, "storage")
	if diff := cmp.Diff(sampleHops(), r); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := Hops(context.Background(), path, "nobody"); !errors.Is(err, ErrNoPeer) {
		t.Errorf("error %v", err)
	}
}

func TestFactsCrossTheSocket(t *testing.T) {
	path := serve(t, testSource{})
	r, err := Facts(context.Background(), path, "storage")
	if diff := cmp.Diff(sampleFacts(), r, cmpopts.EquateComparable(netip.Prefix{}, netip.AddrPort{})); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for peer, want := range map[string]error{"silent": ErrNoAnswer, "nobody": ErrNoPeer} {
		if _, err := Facts(context.Background(), path, peer); !errors.Is(err, want) {
			t.Errorf("%s: error %v", peer, err)
		}
	}
}

func TestAnEchoCrossesTheSocket(t *testing.T) {
	path := serve(t, testSource{})
	r, err := Echo(context.Background(), path, "storage")
	if want := (&EchoReport{Peer: "storage", Endpoint: "192.0.2.2:4500", RTTMillis: 1.5}); err != nil || !cmp.Equal(r, want) {
		t.Errorf("%+v, %v", r, err)
	}
	for peer, want := range map[string]error{"silent": ErrNoAnswer, "nobody": ErrNoPeer} {
		_, err := Echo(context.Background(), path, peer)
		if !errors.Is(err, want) || !strings.HasSuffix(err.Error(), peer) {
			t.Errorf("peer %s: error %v, want %v", peer, err, want)
		}
		for _, other := range codes {
			if other != want && errors.Is(err, other) {
				t.Errorf("peer %s: the error matches %v, too", peer, other)
			}
		}
	}
	if _, err := Echo(context.Background(), filepath.Join(t.TempDir(), "none.sock"), "storage"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a tunnel: error %v", err)
	}
}

func TestFetchWithoutATunnel(t *testing.T) {
	_, err := Fetch(context.Background(), filepath.Join(t.TempDir(), "none.sock"))
	if !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v, want %v", err, ErrNotRunning)
	}
}

func TestFetchFromAnotherProgram(t *testing.T) {
	l, path := listen(t)
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			readRequest(conn)
			io.WriteString(conn, "220 mail.example.org ESMTP\r\n")
			conn.Close()
		}
	}()
	_, err := Fetch(context.Background(), path)
	if err == nil || errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), path+": the answer makes no sense: ") {
		t.Errorf("error %v", err)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	l, path := listen(t)
	defer l.Close() // it accepts no connection
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Fetch(ctx, path); !errors.Is(err, context.Canceled) || errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v", err)
	}
}

func TestAClientDoesNotWaitForEver(t *testing.T) {
	l, path := listen(t)
	defer l.Close() // it accepts no connection
	err := ask(context.Background(), path, statusRequest, 10*time.Millisecond, new(statusReply))
	if err == nil || errors.Is(err, ErrNotRunning) || !strings.HasSuffix(err.Error(), ": no answer within 10ms") {
		t.Errorf("error %v", err)
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"name":"fathom0","peers":[{"name":"a","rtt_ms":1.5}]}`))
	f.Add([]byte(`{"error":"unknown request"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, into := range []reply{new(statusReply), new(probeReply), new(echoReply)} {
			if err := decode(data, into); err == nil && into.refused() != nil {
				t.Errorf("%T: refused, but no error", into)
			}
		}
	})
}
