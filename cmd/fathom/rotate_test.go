package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"fathom/tunnel/status"
)

// rotating is a tunnel that takes in its coming key when it is reloaded. Before that it
// makes a handshake by its old one with each peer, as it may at any moment.
type rotating struct {
	status.Source
	mu   sync.Mutex
	now  status.Status
	next func(s *status.Status) // what each look at the reloaded tunnel finds changed
}

func (r *rotating) Status(context.Context) (*status.Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now.PublicKey == "new" {
		r.next(&r.now)
	}
	s := r.now
	s.Peers = slices.Clone(s.Peers)
	return &s, nil
}

func (r *rotating) Reload(context.Context) (*status.ReloadReport, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.now.Peers {
		r.now.Peers[i].Handshakes++
	}
	r.now.PublicKey = "new"
	return new(status.ReloadReport), nil
}

// TestAHandshakeByTheOldKeyIsNoAcceptance of the new one, whenever it was made.
func TestAHandshakeByTheOldKeyIsNoAcceptance(t *testing.T) {
	for _, test := range []struct {
		name    string
		next    func(s *status.Status)
		timeout time.Duration
		lacking []string
	}{
		{"no peer accepts it", func(*status.Status) {}, 2 * knockEvery, []string{"a", "b", "late"}},
		{"handshakes by the old key go on", func(s *status.Status) { s.Peers[0].Handshakes++ }, 2 * knockEvery, []string{"a", "b", "late"}},
		{"one peer accepts it", func(s *status.Status) { s.Peers[1].OwnKey = "new" }, 2 * knockEvery, []string{"a", "late"}},
		{"all accept it, one after the other", func(s *status.Status) {
			i := slices.IndexFunc(s.Peers, func(p status.Peer) bool { return p.OwnKey != "new" })
			s.Peers[max(i, 0)].OwnKey = "new"
		}, time.Minute, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "s.sock")
			listener, err := status.Listen(socket)
			if err != nil {
				t.Fatal(err)
			}
			tunnel := &rotating{next: test.next, now: status.Status{PublicKey: "old", Peers: []status.Peer{
				{Name: "a", State: status.PeerEstablished, Handshakes: 5, OwnKey: "old"},
				{Name: "b", State: status.PeerEstablished, Handshakes: 7, OwnKey: "old"},
				{Name: "away", State: status.PeerConnecting},
				{Name: "late", State: status.PeerConnecting},
			}}}
			ctx, stop := context.WithCancel(context.Background())
			var server sync.WaitGroup
			server.Go(func() { status.Serve(ctx, listener, tunnel, slog.New(slog.DiscardHandler)) })
			defer server.Wait()
			defer stop()
			before, err := status.Fetch(ctx, socket)
			if err != nil {
				t.Fatal(err)
			}
			tunnel.mu.Lock()
			tunnel.now.Peers[3].State, tunnel.now.Peers[3].OwnKey = status.PeerEstablished, "old"
			tunnel.mu.Unlock()
			asked, lacking, err := acceptedBy(ctx, socket, "new", before, test.timeout)
			if err != nil || !slices.Equal(lacking, test.lacking) || !slices.Equal(asked, []string{"a", "b", "late"}) {
				t.Errorf("asked %q, of whom %q lack a handshake, %v", asked, lacking, err)
			}
		})
	}
}
