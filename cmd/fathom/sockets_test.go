package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fathom/tunnel/status"
)

// tunnelsOfAHost are folders such as /etc/fathom and /run/fathom. The tunnels run in
// this process.
type tunnelsOfAHost struct{ etc, run string }

func newTunnelsOfAHost(t *testing.T) *tunnelsOfAHost {
	// Not t.TempDir, whose path may be too long for a socket.
	dir, err := os.MkdirTemp("", "fathom")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &tunnelsOfAHost{filepath.Join(dir, "etc"), filepath.Join(dir, "run")}
	for _, d := range []string{h.etc, h.run} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(h.etc, "private.key"), []byte("CAESp71ewgvFDtN0MP66X1UlYcVPEHDFo3OuVz9ZmUs=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *tunnelsOfAHost) socket(name string) string { return filepath.Join(h.run, name+".sock") }

// configure writes a configuration with one peer.
func (h *tunnelsOfAHost) configure(t *testing.T, name, peer string) {
	t.Helper()
	text := fmt.Sprintf(`[tunnel]
private_key_file = "private.key"
address = ["10.77.0.1/24"]
status_socket = %q
[[peer]]
name = %q
public_key = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
allowed_ips = ["10.77.0.2/32"]
`, h.socket(name), peer)
	if err := os.WriteFile(filepath.Join(h.etc, name+".toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs a tunnel with one peer.
func (h *tunnelsOfAHost) start(t *testing.T, name, peer string) {
	t.Helper()
	listener, err := status.Listen(h.socket(name))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var server sync.WaitGroup
	document := answer(fmt.Sprintf(`{"name": %q, "peers": [{"name": %q, "state": "established"}]}`, name, peer))
	server.Go(func() { status.Serve(ctx, listener, document, slog.New(slog.DiscardHandler)) })
	t.Cleanup(func() { stop(); server.Wait() })
}

func TestTheTunnelOfAPeerIsFound(t *testing.T) {
	h := newTunnelsOfAHost(t)
	find := func(peer string) (string, error) {
		t.Helper()
		places, err := findPlaces(h.etc, h.run)
		if err != nil {
			t.Fatal(err)
		}
		socket, err := tunnelOf(context.Background(), places, peer)
		return strings.TrimSuffix(filepath.Base(socket), ".sock"), err
	}
	fails := func(when, peer string, want error) {
		t.Helper()
		if found, err := find(peer); !errors.Is(err, want) {
			t.Errorf("%s: peer %s is found in %q, error %v, want %v", when, peer, found, err, want)
		}
	}
	succeeds := func(when, peer, want string) {
		t.Helper()
		if found, err := find(peer); err != nil || found != want {
			t.Errorf("%s: peer %s is found in %q, error %v, want %q", when, peer, found, err, want)
		}
	}

	fails("no tunnel", "a", status.ErrNotRunning)
	h.configure(t, "one", "a")
	h.configure(t, "two", "b")
	fails("no tunnel runs", "a", status.ErrNotRunning)
	fails("no tunnel runs, and no configuration has the peer", "x", status.ErrNoPeer)
	h.start(t, "one", "a")
	succeeds("one of two runs", "a", "one")
	fails("the other runs", "b", status.ErrNotRunning)
	fails("one of two runs", "x", status.ErrNoPeer)
	h.start(t, "two", "b")
	succeeds("both run", "b", "two")
	h.start(t, "three", "c") // without a configuration
	succeeds("three run", "c", "three")
	fails("three run", "x", status.ErrNoPeer)
	if err := os.WriteFile(h.socket("crashed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	succeeds("one has crashed", "c", "three")
	fails("one has crashed, which might have the peer", "x", status.ErrNotRunning)
	h.start(t, "four", "a")
	_, err := find("a")
	if exitCodeOf(err) != exitUsage || !strings.Contains(hintFor(err), h.socket("one")) || !strings.Contains(hintFor(err), h.socket("four")) {
		t.Errorf("a peer of two tunnels: %v (%s)", err, hintFor(err))
	}
}

func TestTheOneTunnelSaysItselfWhichPeersItHas(t *testing.T) {
	socket, err := tunnelOf(context.Background(), []place{{socket: "x.sock"}}, "a")
	if err != nil || socket != "x.sock" {
		t.Errorf("%q, %v", socket, err)
	}
}

func TestTheStatusOfAllTunnels(t *testing.T) {
	h := newTunnelsOfAHost(t)
	h.configure(t, "one", "a")
	h.configure(t, "two", "b") // does not run
	h.start(t, "one", "a")
	h.start(t, "three", "c")
	places, err := findPlaces(h.etc, h.run)
	if err != nil {
		t.Fatal(err)
	}
	found, idle, err := running(context.Background(), places)
	if err != nil || len(found) != 2 || found[0].Name != "one" || found[1].Name != "three" || len(idle) != 1 || idle[0].socket != h.socket("two") {
		t.Errorf("found %v, idle %v, error %v", found, idle, err)
	}
	cmd := newStatusCommand()
	var out strings.Builder
	cmd.SetOut(&out)
	for _, test := range []struct {
		json, one bool
		begins    string
		has       string
	}{
		{false, false, "tunnel: one\n", "\n\ntunnel: three\n"},
		{true, false, "[\n", `"name": "three"`},
		{true, true, "{\n", `"name": "one"`},
	} {
		out.Reset()
		if err := printTunnels(cmd, found, test.json, test.one); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.HasPrefix(got, test.begins) || !strings.Contains(got, test.has) {
			t.Errorf("%+v: printed\n%s", test, got)
		}
	}
}
