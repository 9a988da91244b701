package conf

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// decoded reads a key of the tests, without ParseKey.
func decoded(t testing.TB, s string) (k [keySize]byte) {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || copy(k[:], b) != keySize {
		t.Fatalf("%s is no key: %v", s, err)
	}
	return k
}

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// smallest is the least that a configuration can say.
const smallest = `[tunnel]
private_key_file = "private.key"
address = ["10.77.0.1/24"]
`

// smallestPeer is the least that a peer can say, without its table's end.
const smallestPeer = `
[[peer]]
name = "storage"
public_key = "` + otherPublicKey + `"
allowed_ips = ["10.77.0.2/32"]
`

// longestHost has 253 bytes in labels of up to 63.
var longestHost = strings.Repeat(strings.Repeat("h", 63)+".", 3) + strings.Repeat("h", 61)

func smallestConfig(t testing.TB) Config {
	return Config{
		Path: "etc/fathom.toml",
		Tunnel: Tunnel{
			Name:              "fathom0",
			PrivateKey:        decoded(t, privateKey),
			PrivateKeyFile:    "etc/private.key",
			ListenPort:        4500,
			Addresses:         prefixes("10.77.0.1/24"),
			Ciphers:           []string{"aes-256-gcm", "chacha20-poly1305"},
			RekeyAfter:        2 * time.Minute,
			RekeyAfterPackets: 1 << 30,
			Routes:            true,
			OnStop:            "release",
			Oversize:          "carry",
			OuterDF:           "set",
			DSCP:              "copy",
			ECN:               "normal",
			MSSClamp:          true,
			Offload:           "auto",
			StatusSocket:      "/run/fathom/fathom0.sock",
			HistoryFile:       "/var/lib/fathom/fathom0.history",
			LogLevel:          slog.LevelInfo,
		},
	}
}

func smallestPeerConfig(t testing.TB) Peer {
	return Peer{
		Name:       "storage",
		PublicKey:  decoded(t, otherPublicKey),
		AllowedIPs: prefixes("10.77.0.2/32"),
		Probing:    "fan",
	}
}

// keysByName is a readKey without a file system.
func keysByName(path string) ([]byte, error) {
	for _, f := range keyFiles {
		if f.name == filepath.Base(path) {
			return []byte(f.content), nil
		}
	}
	return nil, fmt.Errorf("no key at %s", path)
}

func TestValidFiles(t *testing.T) {
	tests := []struct {
		name string
		toml string
		want func(c *Config) // changes smallestConfig
	}{
		{"missing keys have their defaults", smallest, func(*Config) {}},
		{"a peer, too, has defaults", smallest + smallestPeer, func(c *Config) {
			c.Peers = []Peer{smallestPeerConfig(t)}
		}},
		{"every key has its field", `
# A comment.
[[peer]]   # before [tunnel], which is fine
name = 'Storage_1.example-org'
public_key = """
` + otherPublicKey + `"""
preshared_key_file = "/etc/psk.key"
endpoint = "SD.example.org:4501"
allowed_ips = [
	"10.77.0.2/32", # its own
	"fd77::2/128",
	"10.0.0.0/8",
]
keepalive = "25s"
probing = "sequential"
max_plpmtu = 65_535
min_plpmtu = 0x240
[ tunnel ]
"name" = "tun-a.b_c{}[]#1"
private_key_file = "./keys/../private.key"
listen = "[2001:db8::7]:0"
address = ["10.77.0.1/24", 'fd77::1/64']
ciphers = ["chacha20-poly1305"]
rekey_after = "1m30.5s"
rekey_after_packets = 1_000
routes = false
fwmark = 0xffff_ffff
table = 51
on_stop = "block"
mtu = 9_000
oversize = "signal"
outer_df = "clear"
dscp = "clear"
ecn = "compatibility"
mss_clamp = false
offload = "off"
queues = 16
status_socket = "run/sock"
history_file = "state/history"
log_level = "debug"
debug_esp_sa_file = "/tmp//esp_sa"

[[peer]]
name = "office"
public_key = "` + clampedPublicKey + `"
endpoint = "[fe80::1%eth0]:65535"
allowed_ips = ["0.0.0.0/0", "::/0", "10.77.0.3/32"]
probing = "off"
plpmtu = 1280`, func(c *Config) {
			c.Tunnel = Tunnel{
				Name:              "tun-a.b_c{}[]#1",
				PrivateKey:        decoded(t, privateKey),
				PrivateKeyFile:    "etc/private.key",
				ListenHost:        netip.MustParseAddr("2001:db8::7"),
				Addresses:         prefixes("10.77.0.1/24", "fd77::1/64"),
				Ciphers:           []string{"chacha20-poly1305"},
				RekeyAfter:        90*time.Second + 500*time.Millisecond,
				RekeyAfterPackets: 1000,
				FwMark:            0xffff_ffff,
				Table:             51,
				OnStop:            "block",
				MTU:               9000,
				Oversize:          "signal",
				OuterDF:           "clear",
				DSCP:              "clear",
				ECN:               "compatibility",
				Offload:           "off",
				Queues:            16,
				StatusSocket:      "etc/run/sock",
				LogLevel:          slog.LevelDebug,
				HistoryFile:       "etc/state/history",
				DebugESPSAFile:    "/tmp/esp_sa",
			}
			c.Peers = []Peer{{
				Name:         "Storage_1.example-org",
				PublicKey:    decoded(t, otherPublicKey),
				PresharedKey: decoded(t, presharedKey),
				Endpoints:    []Endpoint{{"SD.example.org", 4501}},
				AllowedIPs:   prefixes("10.77.0.2/32", "fd77::2/128", "10.0.0.0/8"),
				Keepalive:    25 * time.Second,
				Probing:      "sequential",
				MaxPLPMTU:    65535,
				MinPLPMTU:    576,
			}, {
				Name:       "office",
				PublicKey:  decoded(t, clampedPublicKey),
				Endpoints:  []Endpoint{{"fe80::1%eth0", 65535}},
				AllowedIPs: prefixes("0.0.0.0/0", "::/0", "10.77.0.3/32"),
				Probing:    "off",
				PLPMTU:     1280,
			}}
		}},
		{"the least of every number", smallest + `
name = "f"
rekey_after = "1s"
rekey_after_packets = 1000
listen = "0.0.0.0:0"
log_level = "error"
oversize = "drop"
debug_esp_sa_file = ""
history_file = ""
` + smallestPeer + `
keepalive = "1s"
plpmtu = 576
endpoint = "192.0.2.1:1"
`, func(c *Config) {
			c.Tunnel.Name, c.Tunnel.StatusSocket = "f", "/run/fathom/f.sock"
			c.Tunnel.HistoryFile = ""
			c.Tunnel.RekeyAfter, c.Tunnel.RekeyAfterPackets = time.Second, 1000
			c.Tunnel.ListenHost, c.Tunnel.ListenPort = netip.IPv4Unspecified(), 0
			c.Tunnel.LogLevel, c.Tunnel.Oversize = slog.LevelError, "drop"
			p := smallestPeerConfig(t)
			p.Keepalive, p.PLPMTU, p.Endpoints = time.Second, 576, []Endpoint{{"192.0.2.1", 1}}
			c.Peers = []Peer{p}
		}},
		{"the most of every number", smallest + `
name = "fathom012345678"
rekey_after = "60m"
rekey_after_packets = 1073741824
listen = "192.0.2.9:65535"
log_level = "warn"
status_socket = "/` + strings.Repeat("s", MaxSocketPath-1) + `"
` + smallestPeer + `
keepalive = "1h"
min_plpmtu = 65535
max_plpmtu = 65535
`, func(c *Config) {
			c.Tunnel.Name, c.Tunnel.StatusSocket = "fathom012345678", "/"+strings.Repeat("s", 106)
			c.Tunnel.HistoryFile = "/fathom012345678.history"
			c.Tunnel.RekeyAfter, c.Tunnel.RekeyAfterPackets = time.Hour, 1<<30
			c.Tunnel.ListenHost, c.Tunnel.ListenPort = netip.MustParseAddr("192.0.2.9"), 65535
			c.Tunnel.LogLevel = slog.LevelWarn
			p := smallestPeerConfig(t)
			p.Keepalive, p.MinPLPMTU, p.MaxPLPMTU = time.Hour, 65535, 65535
			c.Peers = []Peer{p}
		}},
		{"metrics at an address", smallest + "metrics = \"127.0.0.1:9586\"\n", func(c *Config) {
			c.Tunnel.MetricsAddr = netip.MustParseAddrPort("127.0.0.1:9586")
		}},
		{"metrics at another address of the loopback", smallest + "metrics = \"[::1]:1\"\n", func(c *Config) {
			c.Tunnel.MetricsAddr = netip.MustParseAddrPort("[::1]:1")
		}},
		{"metrics at a socket", smallest + "metrics = \"/run/fathom/metrics.sock\"\n", func(c *Config) {
			c.Tunnel.MetricsSocket = "/run/fathom/metrics.sock"
		}},
		{"metrics at a socket beside the file", smallest + "metrics = \"metrics.sock\"\n", func(c *Config) {
			c.Tunnel.MetricsSocket = "etc/metrics.sock"
		}},
		{"defaults can be written out", smallest + `
status_socket = "/run/fathom/fathom0.sock"
debug_esp_sa_file = ""
` + smallestPeer + `
keepalive = "0s"
probing = "fan"
`, func(c *Config) { c.Peers = []Peer{smallestPeerConfig(t)} }},
		{"IPv4 in IPv6 is IPv4 outside of the tunnel", smallest + `listen = "[::ffff:192.0.2.9]:4500"`, func(c *Config) {
			c.Tunnel.ListenHost = netip.MustParseAddr("192.0.2.9")
		}},
		{"a network for two or for one has no special addresses", strings.Replace(smallest, `"10.77.0.1/24"`, `"10.77.0.0/31", "10.78.0.1/31", "10.79.0.0/32", "fd77::/127", "fd78::/128"`, 1), func(c *Config) {
			c.Tunnel.Addresses = prefixes("10.77.0.0/31", "10.78.0.1/31", "10.79.0.0/32", "fd77::/127", "fd78::/128")
		}},
		{"a longer prefix may be another peer's", smallest + strings.Replace(smallestPeer, "10.77.0.2/32", "10.0.0.0/8", 1) +
			strings.NewReplacer("storage", "other", otherPublicKey, clampedPublicKey, "10.77.0.2/32", "10.1.0.0/16").Replace(smallestPeer), func(c *Config) {
			p, other := smallestPeerConfig(t), smallestPeerConfig(t)
			p.AllowedIPs = prefixes("10.0.0.0/8")
			other.Name, other.PublicKey, other.AllowedIPs = "other", decoded(t, clampedPublicKey), prefixes("10.1.0.0/16")
			c.Peers = []Peer{p, other}
		}},
		{"without our routes everything may go through the tunnel", smallest + "routes = false\n" +
			strings.Replace(smallestPeer, "10.77.0.2/32", "0.0.0.0/0", 1) + `endpoint = "192.0.2.1:4500"`, func(c *Config) {
			c.Tunnel.Routes = false
			p := smallestPeerConfig(t)
			p.AllowedIPs, p.Endpoints = prefixes("0.0.0.0/0"), []Endpoint{{"192.0.2.1", 4500}}
			c.Peers = []Peer{p}
		}},
		{"a default route spares the tunnel's own packets", smallest + "table = \"auto\"\nfwmark = 4500\n" +
			strings.Replace(smallestPeer, "10.77.0.2/32", "::/0", 1) + `endpoint = "[2001:db8::1]:4500"`, func(c *Config) {
			c.Tunnel.FwMark = 4500
			p := smallestPeerConfig(t)
			p.AllowedIPs, p.Endpoints = prefixes("::/0"), []Endpoint{{"2001:db8::1", 4500}}
			c.Peers = []Peer{p}
		}},
		{"in a table of the administrator's the rules decide", smallest + "table = 51\n" +
			strings.Replace(smallestPeer, "10.77.0.2/32", "192.0.2.0/24", 1) + `endpoint = "192.0.2.1:4500"`, func(c *Config) {
			c.Tunnel.Table = 51
			p := smallestPeerConfig(t)
			p.AllowedIPs, p.Endpoints = prefixes("192.0.2.0/24"), []Endpoint{{"192.0.2.1", 4500}}
			c.Peers = []Peer{p}
		}},
		{"our port at another address is not ours", smallest + smallestPeer + `endpoint = "198.51.100.1:4500"`, func(c *Config) {
			p := smallestPeerConfig(t)
			p.Endpoints = []Endpoint{{"198.51.100.1", 4500}}
			c.Peers = []Peer{p}
		}},
		{"uplinks, in their order", smallest + "uplinks = [\"wwan0\", \"eth0.7\"]\n" + smallestPeer, func(c *Config) {
			c.Tunnel.Uplinks = []string{"wwan0", "eth0.7"}
			c.Peers = []Peer{smallestPeerConfig(t)}
		}},
		{"several endpoints, in their order", smallest + smallestPeer + `endpoint = ["storage.example.org:4500", "[2001:db8::1]:4500", "192.0.2.1:4501", "192.0.2.1:4502"]`, func(c *Config) {
			p := smallestPeerConfig(t)
			p.Endpoints = []Endpoint{{"storage.example.org", 4500}, {"2001:db8::1", 4500}, {"192.0.2.1", 4501}, {"192.0.2.1", 4502}}
			c.Peers = []Peer{p}
		}},
		{"a list of one endpoint", smallest + smallestPeer + `endpoint = ["192.0.2.1:4500"]`, func(c *Config) {
			p := smallestPeerConfig(t)
			p.Endpoints = []Endpoint{{"192.0.2.1", 4500}}
			c.Peers = []Peer{p}
		}},
		{"IPv4 needs fewer bytes than IPv6", smallest + smallestPeer + "endpoint = \"[::ffff:192.0.2.1]:4500\"\nmin_plpmtu = 576\nmax_plpmtu = 1279\n", func(c *Config) {
			p := smallestPeerConfig(t)
			p.Endpoints, p.MinPLPMTU, p.MaxPLPMTU = []Endpoint{{"::ffff:192.0.2.1", 4500}}, 576, 1279
			c.Peers = []Peer{p}
		}},
		{"a host name may be as long as DNS lets it be", smallest + smallestPeer + `endpoint = "` + longestHost + `:1"`, func(c *Config) {
			p := smallestPeerConfig(t)
			p.Endpoints = []Endpoint{{longestHost, 1}}
			c.Peers = []Peer{p}
		}},
		{"a network of a peer may begin with our address", strings.Replace(smallest, "10.77.0.1/24", "10.77.0.0/32", 1) + strings.Replace(smallestPeer, "10.77.0.2/32", "10.77.0.0/24", 1), func(c *Config) {
			c.Tunnel.Addresses = prefixes("10.77.0.0/32")
			p := smallestPeerConfig(t)
			p.AllowedIPs = prefixes("10.77.0.0/24")
			c.Peers = []Peer{p}
		}},
		{"dotted keys and inline tables say the same as headers", `
tunnel.private_key_file = "private.key"
tunnel . "address" = [ # of this end
  "10.77.0.1/24", ]
peer = [{ name = 'storage', "public\u005fkey" = """` + otherPublicKey + `""", allowed_ips = ["10.77.0.2/32"] }]
`, func(c *Config) { c.Peers = []Peer{smallestPeerConfig(t)} }},
		{"tables may be inline", `tunnel = {private_key_file = "private.key", address = ["10.77.0.1/24"]}`, func(*Config) {}},
		{"a list of peers may be empty", "peer = []\n" + smallest, func(*Config) {}},
		{"a size can be fixed whatever probing says", smallest + smallestPeer + "probing = \"fan\"\nplpmtu = 1400\n", func(c *Config) {
			p := smallestPeerConfig(t)
			p.PLPMTU = 1400
			c.Peers = []Peer{p}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := smallestConfig(t)
			tt.want(&want)
			crlf := strings.ReplaceAll(tt.toml, "\n", "\r\n")
			for form, data := range map[string]string{"LF": tt.toml, "CRLF": crlf, "a byte order mark": "\ufeff" + tt.toml} {
				got, err := Parse("etc/fathom.toml", []byte(data), keysByName)
				if err != nil {
					t.Fatalf("with %s: %v", form, err)
				}
				if diff := cmp.Diff(want, *got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}), cmp.Comparer(sameSecret)); diff != "" {
					t.Errorf("with %s: -want +got:\n%s", form, diff)
				}
			}
		})
	}
}

// sameSecret keeps go-cmp from printing keys, too.
func sameSecret(a, b SecretKey) bool { return a == b }

func TestEveryCipherAndLevelOfTheDocumentationIsAccepted(t *testing.T) {
	for key, values := range map[string][]string{
		"log_level": {`"debug"`, `"info"`, `"warn"`, `"error"`},
		"ciphers":   {`["aes-256-gcm"]`, `["chacha20-poly1305"]`, `["chacha20-poly1305", "aes-256-gcm"]`},
		"oversize":  {`"carry"`, `"signal"`, `"drop"`},
		"outer_df":  {`"set"`, `"clear"`},
		"dscp":      {`"copy"`, `"clear"`},
		"ecn":       {`"normal"`, `"compatibility"`},
		"offload":   {`"auto"`, `"off"`},
	} {
		for _, v := range values {
			if _, err := Parse("f", []byte(smallest+key+" = "+v+"\n"), keysByName); err != nil {
				t.Errorf("%s = %s: %v", key, v, err)
			}
		}
	}
	for _, v := range []string{"fan", "sequential", "off"} {
		if _, err := Parse("f", []byte(smallest+smallestPeer+"probing = \""+v+"\"\n"), keysByName); err != nil {
			t.Errorf("probing = %s: %v", v, err)
		}
	}
}

// TestTheSchemaIsWhole wants each key to be decoded into a field of its own:
// as many keys as fields, except the two fields that are made of others.
func TestTheSchemaIsWhole(t *testing.T) {
	for _, list := range [][]string{names(tunnelFields), names(peerFields)} {
		sorted := slices.Sorted(slices.Values(list))
		if len(slices.Compact(sorted)) != len(list) {
			t.Errorf("a key comes twice: %q", list)
		}
	}
	for _, f := range tunnelFields {
		if v := f.value; v != "" && !f.required {
			checkDefault(t, smallest, f.name, v)
		}
	}
	for _, f := range peerFields {
		if v := f.value; v != "" && !f.required {
			checkDefault(t, smallest+smallestPeer, f.name, v)
		}
	}
}

// checkDefault wants a key with its default to mean the same as a missing key.
func checkDefault(t *testing.T, toml, key, value string) {
	t.Helper()
	without, err := Parse("f", []byte(toml), keysByName)
	check(t, err)
	with, err := Parse("f", fmt.Appendf(nil, "%s%s = %s\n", toml, key, value), keysByName)
	check(t, err)
	if diff := cmp.Diff(without, with, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}), cmp.Comparer(sameSecret)); diff != "" {
		t.Errorf("%s = %s is not the default: -without +with:\n%s", key, value, diff)
	}
}

// TestParseKeepsNothingOfItsInput overwrites the input afterwards.
func TestParseKeepsNothingOfItsInput(t *testing.T) {
	data := []byte(smallest + smallestPeer + "endpoint = \"example.org:1\"\n")
	c, err := Parse("etc/fathom.toml", data, keysByName)
	check(t, err)
	copy(data, bytes.Repeat([]byte("#"), len(data)))
	want := smallestConfig(t)
	p := smallestPeerConfig(t)
	p.Endpoints = []Endpoint{{"example.org", 1}}
	want.Peers = []Peer{p}
	if diff := cmp.Diff(want, *c, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}), cmp.Comparer(sameSecret)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
