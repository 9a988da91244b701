package conf

import (
	"strings"
	"testing"
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
