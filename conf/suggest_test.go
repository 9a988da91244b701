package conf

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSuggest(t *testing.T) {
	for word, want := range map[string]string{
		"adress": "address", "AllowedIPs": "", "Address": "address", "ADDRESS": "address", "log-level": "log_level",
		"ListenPort": "listen", "priv_key": "private_key_file", "PrivateKey": "private_key_file", "rekey": "rekey_after",
		"cipher": "ciphers", "ciper": "ciphers", "route": "routes", "x": "", "": "", "xyzzy": "", "mss": "mss_clamp",
		"debug": "debug_esp_sa_file", "df": "", strings.Repeat("name", 1000): "",
	} {
		if got := suggest(word, names(tunnelFields)); got != want {
			t.Errorf("%q: %q, not %q", word, got, want)
		}
	}
	for word, want := range map[string]string{
		"AllowedIPs": "allowed_ips", "PublicKey": "public_key", "pubkey": "public_key", "psk": "preshared_key_file",
		"PersistentKeepalive": "keepalive", "mtu": "plpmtu", "maxplpmtu": "max_plpmtu", "Endpoint": "endpoint",
	} {
		if got := suggest(word, names(peerFields)); got != want {
			t.Errorf("%q: %q, not %q", word, got, want)
		}
	}
}

// TestEditDistanceIsAMetric, and that of one edit is one.
func TestEditDistanceIsAMetric(t *testing.T) {
	if d := editDistance("kitten", "sitting"); d != 3 {
		t.Errorf("kitten to sitting: %d", d)
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 8, -1)
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		ab := editDistance(a, b)
		switch {
		case (ab == 0) != (a == b), ab != editDistance(b, a), ab > max(len(a), len(b)):
			t.Fatalf("%q to %q: %d", a, b, ab)
		case ab > editDistance(a, c)+editDistance(c, b):
			t.Fatalf("%q to %q is longer than by way of %q", a, b, c)
		case editDistance(a, a+"c") != 1, editDistance("c"+a, a) != 1:
			t.Fatalf("one letter more than %q is not one edit", a)
		}
	})
}
