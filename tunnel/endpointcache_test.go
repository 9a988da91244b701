package tunnel

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fathom/crypto"
)

// TestEndpointCache: many moves are written at once, a moment later, and read by
// the next start. Peers that are not configured any more are forgotten.
func TestEndpointCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cache")
	load := func(peers ...*peer) *endpointCache {
		c, err := loadEndpointCache(file, peers)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	peers := make([]*peer, 3)
	for i := range peers {
		peers[i] = &peer{public: crypto.PublicKey{byte(i + 1)}}
	}
	now := time.Unix(1000, 0)
	at := netip.MustParseAddrPort("192.0.2.1:4500")
	c := load(peers...)
	if !c.saveAt.IsZero() {
		t.Error("an empty cache is to be saved")
	}
	for i, p := range peers {
		c.remember(p.public, at, now.Add(time.Duration(i)*100*time.Millisecond))
	}
	if want := now.Add(saveEvery); !c.saveAt.Equal(want) {
		t.Errorf("is to be saved at %v, want %v", c.saveAt, want)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("written before its time")
	}
	if err := c.save(); err != nil || !c.saveAt.IsZero() {
		t.Fatalf("error %v, to be saved again at %v", err, c.saveAt)
	}
	c.remember(peers[0].public, at, now)
	if !c.saveAt.IsZero() {
		t.Error("where the peer has been before is to be saved")
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	if again, err := os.Stat(file); err != nil || !os.SameFile(info, again) {
		t.Errorf("written again though nothing has changed: %v", err)
	}

	c = load(peers[:2]...)
	for i, p := range peers {
		if got, ok := c.lookup(p.public); ok != (i < 2) || ok && got != at {
			t.Errorf("peer %d: %v, %v", i, got, ok)
		}
	}
}
