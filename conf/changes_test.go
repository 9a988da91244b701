package conf

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEveryKeyCanChange holds that a key of the schema is compared, and once: a key that
// nobody compares would be changed in the file, and nowhere else, without a word.
func TestEveryKeyCanChange(t *testing.T) {
	keysOf := func(lists ...[]setting[Tunnel]) (keys []string) {
		for _, s := range slices.Concat(lists...) {
			keys = append(keys, s.key)
		}
		return keys
	}
	tunnel, peers := keysOf(liveSettings, routeSettings, restartSettings), []string{"name"} // by which they are found
	for _, s := range peerSettings {
		peers = append(peers, s.key)
	}
	for _, test := range []struct{ compared, schema []string }{{tunnel, names(tunnelFields)}, {peers, names(peerFields)}} {
		slices.Sort(test.compared)
		slices.Sort(test.schema)
		if diff := cmp.Diff(test.schema, test.compared); diff != "" {
			t.Errorf("the schema against what is compared:\n%s", diff)
		}
	}
}

func TestChanges(t *testing.T) {
	base := func() *Config {
		return &Config{Tunnel: Tunnel{Name: "fathom0", Routes: true, ListenPort: 4500, Ciphers: []string{"aes-256-gcm"}, Addresses: prefixes("10.77.0.1/24")}, Peers: []Peer{
			{Name: "a", PublicKey: Key{1}, AllowedIPs: prefixes("10.77.0.2/32")},
			{Name: "b", PublicKey: Key{2}, AllowedIPs: prefixes("10.77.0.3/32"), Endpoints: []Endpoint{{"192.0.2.2", 4500}}},
		}}
	}
	for _, test := range []struct {
		name   string
		change func(c *Config)
		want   string
	}{
		{"nothing", func(c *Config) {}, ""},
		{"the order of the peers", func(c *Config) { slices.Reverse(c.Peers) }, ""},
		{"a peer more", func(c *Config) { c.Peers = append(c.Peers, Peer{Name: "c", PublicKey: Key{3}}) }, "+c"},
		{"a peer less", func(c *Config) { c.Peers = c.Peers[:1] }, "-b"},
		{"a peer of another key", func(c *Config) { c.Peers[1].PublicKey = Key{9} }, "-b +b"},
		{"a peer of another name", func(c *Config) { c.Peers[1].Name = "c" }, "-b +c"},
		{"two peers have changed names", func(c *Config) { c.Peers[0].Name, c.Peers[1].Name = "b", "a" }, "-a -b +b +a"},
		{"a coming key", func(c *Config) { c.Peers[0].ComingKey = Key{9} }, "a:public_key"},
		{"the coming key has come", func(c *Config) { c.Peers[0].PublicKey, c.Peers[0].ComingKey = Key{9}, Key{1} }, "a:public_key"},
		{"an endpoint", func(c *Config) { c.Peers[1].Endpoints = []Endpoint{{"192.0.2.3", 4500}} }, "b:endpoint"},
		{"an allowed prefix", func(c *Config) { c.Peers[1].AllowedIPs = prefixes("10.77.0.3/32", "10.78.0.0/16") }, "b:allowed_ips"},
		{"the rest of a peer", func(c *Config) {
			p := &c.Peers[0]
			p.Keepalive, p.Probing, p.PLPMTU, p.MaxPLPMTU, p.MinPLPMTU, p.PresharedKey = time.Second, ProbingOff, 1, 2, 3, SecretKey{4}
		}, "a:preshared_key_file,keepalive,probing,plpmtu,max_plpmtu,min_plpmtu"},
		{"what is live", func(c *Config) {
			c.Tunnel.LogLevel, c.Tunnel.PrivateKey, c.Tunnel.RekeyAfter, c.Tunnel.RekeyAfterPackets = slog.LevelDebug, SecretKey{1}, time.Second, 1000
			c.Tunnel.Ciphers = []string{"chacha20-poly1305"}
		}, "live:private_key_file,ciphers,rekey_after,rekey_after_packets,log_level"},
		{"the file of the same key", func(c *Config) { c.Tunnel.PrivateKeyFile = "other.key" }, ""},
		{"what needs a restart", func(c *Config) { c.Tunnel.ListenPort, c.Tunnel.DSCP = 4501, DSCPClear }, "restart:listen,dscp"},
		{"an address", func(c *Config) { c.Tunnel.Addresses = prefixes("10.77.0.9/24") }, "restart:address unsafe:address"},
		{"a default route", func(c *Config) { c.Peers[0].AllowedIPs = prefixes("0.0.0.0/0") },
			"a:allowed_ips restart:allowed_ips unsafe:allowed_ips"},
		{"a default route without routes", func(c *Config) { c.Tunnel.Routes = false; c.Peers[0].AllowedIPs = prefixes("0.0.0.0/0") },
			"a:allowed_ips restart:routes unsafe:routes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			old, next := base(), base()
			test.change(next)
			changes := old.ChangesTo(next)
			if got := inWords(changes); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if changes.Any() != (test.want != "") {
				t.Errorf("any: %v", changes.Any())
			}
			running := old.Running(next)
			after := running.ChangesTo(next)
			if got, want := inWords(after), inWords(Changes{Restart: after.Restart, Unsafe: after.Unsafe}); got != want {
				t.Errorf("after the changes %q is left, want %q", got, want)
			}
			for _, key := range changes.Restart {
				if !slices.Contains(after.Restart, key) && key != "allowed_ips" {
					t.Errorf("after the changes nobody knows that %s needs a restart", key)
				}
			}
		})
	}
}

// inWords writes changes down.
func inWords(c Changes) string {
	var words []string
	for _, name := range c.Removed {
		words = append(words, "-"+name)
	}
	for _, p := range c.Added {
		words = append(words, "+"+p.Name)
	}
	for _, p := range c.Changed {
		words = append(words, p.New.Name+":"+strings.Join(p.Keys, ","))
	}
	for _, list := range []struct {
		what string
		keys []string
	}{{"live", c.Live}, {"restart", c.Restart}, {"unsafe", c.Unsafe}} {
		if len(list.keys) > 0 {
			words = append(words, list.what+":"+strings.Join(list.keys, ","))
		}
	}
	return strings.Join(words, " ")
}

// TestTwoPublicKeys reads a peer that is getting a new key.
func TestTwoPublicKeys(t *testing.T) {
	enterKeyFolder(t)
	text := strings.Replace(smallest+smallestPeer, `public_key = "`+otherPublicKey+`"`, `public_key = ["`+otherPublicKey+`", "`+clampedPublicKey+`"]`, 1)
	c, err := Parse("fathom.toml", []byte(text), readKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Peers[0].Keys(), []Key{decoded(t, otherPublicKey), decoded(t, clampedPublicKey)}; !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
}
