package main

import (
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"fathom/crypto"
)

// FuzzImport: whatever the file holds, what is made of it can be parsed as TOML, and
// no error shows a value, which may be a key.
func FuzzImport(f *testing.F) {
	f.Add("[Interface]\nPrivateKey = SECRET\nAddress = 10.9.0.1/24\n[Peer]\nPublicKey = x\nAllowedIPs = 10.9.0.2/32\n")
	f.Add("connections { a { remote_addrs = 192.0.2.1\n vips = 10.9.0.1\n children { n { remote_ts = 10.9.0.2/32 } } } }\nsecrets { ike { secret = SECRET } }")
	f.Add("connections {\n\"\"{}")
	f.Fuzz(func(t *testing.T, text string) {
		if !isText(text) {
			return
		}
		for _, read := range []func(string) (*imported, error){importWGQuick, func(s string) (*imported, error) { return importSwanctl(s, "") }} {
			i, err := read(text)
			if err != nil {
				if strings.Contains(text, "SECRET") && strings.Contains(err.Error(), "SECRET") {
					t.Errorf("the error shows a value: %v", err)
				}
				continue
			}
			var document struct {
				Tunnel map[string]any
				Peer   []map[string]any
			}
			made := string(i.text("x", crypto.PublicKey{}))
			if _, err := toml.Decode(made, &document); err != nil || len(document.Peer) != len(i.peers) {
				t.Errorf("%v\n%s", err, made)
			}
		}
	})
}

func TestSwanDurations(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"3600": time.Hour, "30m": 30 * time.Minute, "2h": 2 * time.Hour, "1d": 24 * time.Hour, "90s": 90 * time.Second, "soon": 0, "": 0,
	} {
		if got := swanDuration(value); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}
