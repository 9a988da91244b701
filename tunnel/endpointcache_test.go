package tunnel

import (
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// TestAnEndpointCacheMayHoldAnything: what is of use is used, and the rest harms
// nobody. The cache takes new endpoints in any case.
func TestAnEndpointCacheMayHoldAnything(t *testing.T) {
	known := &peer{public: crypto.PublicKey{1}}
	key := known.public.String()
	file := func(text string) func(*testing.T, string) {
		return func(t *testing.T, name string) {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		name     string
		make     func(t *testing.T, name string)
		at       string // where the peer is by that, "": not known
		readable bool
	}{
		{"no file", func(*testing.T, string) {}, "", true},
		{"an endpoint", file(`{"` + key + `": "192.0.2.1:4500"}`), "192.0.2.1:4500", true},
		{"an endpoint beside what is none", file(`{"x": 7, "y": null, "` + key + `": "[2001:db8::1]:1", "z": ["192.0.2.1:1"]}`), "[2001:db8::1]:1", true},
		{"an IPv4 address as one of IPv6", file(`{"` + key + `": "[::ffff:192.0.2.1]:4500"}`), "192.0.2.1:4500", true},
		{"null", file("null"), "", true},
		{"an endpoint that is null", file(`{"` + key + `": null}`), "", true},
		{"an endpoint that is empty", file(`{"` + key + `": ""}`), "", true},
		{"port 0", file(`{"` + key + `": "192.0.2.1:0"}`), "", true},
		{"no address", file(`{"` + key + `": "0.0.0.0:4500"}`), "", true},
		{"an address of many", file(`{"` + key + `": "[ff02::1]:4500"}`), "", true},
		{"nothing", file(""), "", false},
		{"a list", file("[]"), "", false},
		{"half of it", file(`{"` + key + `": "192.`), "", false},
		{"what is no text", file("\x00\xff"), "", false},
		{"too much", file(strings.Repeat(" ", maxEndpointCache+1)), "", false},
		{"a folder", func(t *testing.T, name string) {
			if err := os.Mkdir(name, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "", false},
		{"a pipe", func(t *testing.T, name string) {
			if err := syscall.Mkfifo(name, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "cache")
			test.make(t, name)
			c, err := loadEndpointCache(name, []*peer{known})
			if (err == nil) != test.readable {
				t.Errorf("error %v", err)
			}
			if at, ok := c.lookup(known.public); ok != (test.at != "") || ok && at.String() != test.at {
				t.Errorf("the peer is at %v, %v", at, ok)
			}
			c.remember(known.public, netip.MustParseAddrPort("192.0.2.9:9"), time.Unix(1000, 0))
			if _, ok := c.lookup(known.public); !ok {
				t.Error("a new endpoint is not remembered")
			}
		})
	}
}

func FuzzParseEndpoints(f *testing.F) {
	for _, text := range []string{"null", "", "{}", "[]", `{"a": "192.0.2.1:4500", "b": null}`, `{"a": "[fe80::1%eth0]:1"}`, `{"a": {"b": "c"}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := parseEndpoints(data)
		if (found == nil) != (err != nil) {
			t.Errorf("%v, %v", found, err)
		}
		for key, at := range found {
			if !at.IsValid() || at.Port() == 0 || at.Addr().Is4In6() {
				t.Errorf("%q is at %v", key, at)
			}
		}
		written, err := json.Marshal(found)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseEndpoints(written); len(found) > 0 && (err != nil || !maps.Equal(found, again)) {
			t.Errorf("%v is read as %v, %v", found, again, err)
		}
	})
}
