package conf

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is one key that a table may have.
type field[T any] struct {
	name     string
	required bool
	set      func(a at, v value, into *T)
}

// Defaults of optional keys.
const (
	DefaultName              = "fathom0"
	DefaultPort              = 4500 // RFC 3948
	DefaultRekeyAfter        = 120 * time.Second
	DefaultRekeyAfterPackets = 1 << 30
	statusDirectory          = "/run/fathom"
)

// Limits of values.
const (
	minRekeyAfter, maxRekeyAfter     = time.Second, time.Hour
	minRekeyPackets, maxRekeyPackets = 1000, 1 << 30
	minKeepalive, maxKeepalive       = time.Second, time.Hour
	// minPLPMTU is what every IPv4 host must accept (RFC 791 section 3.1).
	minPLPMTU, maxPLPMTU = 576, 65535
	maxNameLength        = 15 // IFNAMSIZ with its zero byte
)

// ciphers are the names that tunnel.ciphers may hold, the preferred one first.
var ciphers = []string{"aes-256-gcm", "chacha20-poly1305"}

func defaultTunnel() Tunnel {
	return Tunnel{
		Name:              DefaultName,
		ListenPort:        DefaultPort,
		Ciphers:           slices.Clone(ciphers),
		RekeyAfter:        DefaultRekeyAfter,
		RekeyAfterPackets: DefaultRekeyAfterPackets,
		Routes:            true,
		LogLevel:          slog.LevelInfo,
	}
}

// tunnelFields are the keys of [tunnel].
var tunnelFields = []field[Tunnel]{
	{"name", false, func(a at, v value, t *Tunnel) {
		if s, ok := a.str(v); ok {
			if len(s) == 0 || len(s) > maxNameLength || s == "." || s == ".." || strings.ContainsAny(s, "/: \t%") || !printable(s) {
				a.fail(fmt.Sprintf("1 to %d characters, no slash, colon, percent sign or space", maxNameLength), "%q is no name for a network interface", s)
				return
			}
			t.Name = s
		}
	}},
	{"private_key_file", true, func(a at, v value, t *Tunnel) {
		if path, ok := a.path(v); ok {
			t.PrivateKeyFile = path
			t.PrivateKey, _ = a.secret(path)
		}
	}},
	{"listen", false, func(a at, v value, t *Tunnel) {
		if s, ok := a.str(v); ok {
			host, port, ok := splitHostPort(s)
			var addr netip.Addr
			if ok && host != "" {
				var err error
				addr, err = netip.ParseAddr(host)
				ok = err == nil
			}
			if !ok {
				a.fail(`":4500" for all addresses, "192.0.2.1:4500" or "[2001:db8::1]:4500" for one`, "%q is no address and port", s)
				return
			}
			t.ListenHost, t.ListenPort = addr.Unmap(), port
		}
	}},
	{"address", true, func(a at, v value, t *Tunnel) {
		a.list(v, func(a at, s string) {
			p, err := netip.ParsePrefix(s)
			if err != nil {
				a.fail(`an address with a prefix length, such as "10.77.0.1/24"`, "%q is no address with a prefix length", s)
				return
			}
			if !p.Addr().IsGlobalUnicast() && !p.Addr().IsLinkLocalUnicast() {
				a.fail("", "%s is no unicast address", p.Addr())
				return
			}
			t.Addresses = append(t.Addresses, p)
		})
	}},
	{"ciphers", false, func(a at, v value, t *Tunnel) {
		t.Ciphers = nil
		count := len(a.d.errs)
		a.list(v, func(a at, s string) {
			if !slices.Contains(ciphers, s) {
				a.fail("one of "+strings.Join(ciphers, ", "), "unknown cipher %q", s)
			} else if slices.Contains(t.Ciphers, s) {
				a.fail("", "%s is named twice", s)
			} else {
				t.Ciphers = append(t.Ciphers, s)
			}
		})
		if len(t.Ciphers) == 0 && len(a.d.errs) == count {
			a.fail("leave the key out for all of them", "no cipher is named")
		}
	}},
	{"rekey_after", false, func(a at, v value, t *Tunnel) {
		if d, ok := a.duration(v, minRekeyAfter, maxRekeyAfter); ok {
			t.RekeyAfter = d
		}
	}},
	{"rekey_after_packets", false, func(a at, v value, t *Tunnel) {
		if n, ok := a.integer(v, minRekeyPackets, maxRekeyPackets); ok {
			t.RekeyAfterPackets = uint32(n)
		}
	}},
	{"routes", false, func(a at, v value, t *Tunnel) {
		if b, ok := a.boolean(v); ok {
			t.Routes = b
		}
	}},
	{"status_socket", false, func(a at, v value, t *Tunnel) {
		if path, ok := a.path(v); ok {
			t.StatusSocket = path
		}
	}},
	{"log_level", false, func(a at, v value, t *Tunnel) {
		levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
		if s, ok := a.str(v); ok {
			level, known := levels[s]
			if !known {
				a.fail("one of debug, info, warn, error", "unknown log level %q", s)
				return
			}
			t.LogLevel = level
		}
	}},
	{"debug_esp_sa_file", false, func(a at, v value, t *Tunnel) {
		if s, ok := a.str(v); ok && s != "" {
			t.DebugESPSAFile = a.d.resolve(s)
		}
	}},
}

var peerName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)

// peerFields are the keys of [[peer]].
var peerFields = []field[Peer]{
	{"name", true, func(a at, v value, p *Peer) {
		if s, ok := a.str(v); ok {
			if !peerName.MatchString(s) {
				a.fail("1 to 63 letters, digits, dots, hyphens and underscores", "%q is no name for a peer", s)
				return
			}
			p.Name = s
		}
	}},
	{"public_key", true, func(a at, v value, p *Peer) {
		if s, ok := a.str(v); ok {
			key, err := parseKey(s)
			if err != nil {
				a.fail("the 44 characters that `fathom pubkey` prints on the peer", "%v", err)
				return
			}
			p.PublicKey = key
		}
	}},
	{"preshared_key_file", false, func(a at, v value, p *Peer) {
		if path, ok := a.path(v); ok {
			p.PresharedKey, _ = a.secret(path)
		}
	}},
	{"endpoint", false, func(a at, v value, p *Peer) {
		if s, ok := a.str(v); ok {
			host, port, ok := splitHostPort(s)
			if !ok || port == 0 || !validHost(host) {
				a.fail(`"host.example.org:4500", "192.0.2.1:4500" or "[2001:db8::1]:4500"`, "%q is no host and port", s)
				return
			}
			p.Endpoint = Endpoint{host, port}
		}
	}},
	{"allowed_ips", true, func(a at, v value, p *Peer) {
		a.list(v, func(a at, s string) {
			prefix, err := netip.ParsePrefix(s)
			if err != nil {
				a.fail(`an address with a prefix length, such as "10.77.0.2/32"`, "%q is no prefix", s)
				return
			}
			if prefix != prefix.Masked() {
				a.fail(fmt.Sprintf("%q for the network, %q for the host", prefix.Masked(), netip.PrefixFrom(prefix.Addr(), prefix.Addr().BitLen())), "%q has host bits set", s)
				return
			}
			p.AllowedIPs = append(p.AllowedIPs, prefix)
		})
	}},
	{"keepalive", false, func(a at, v value, p *Peer) {
		if v.text == "0s" || v.text == "0" {
			return
		}
		if d, ok := a.duration(v, minKeepalive, maxKeepalive); ok {
			p.Keepalive = d
		}
	}},
	{"plpmtu", false, func(a at, v value, p *Peer) {
		if n, ok := a.integer(v, minPLPMTU, maxPLPMTU); ok {
			p.PLPMTU = int(n)
		}
	}},
}

// path returns a file path, absolute.
func (a at) path(v value) (string, bool) {
	s, ok := a.str(v)
	if !ok {
		return "", false
	}
	if s == "" {
		a.fail("", "the path is empty")
		return "", false
	}
	return a.d.resolve(s), true
}

func (d *decoder) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(d.dir, path)
}

// secret reads a key file.
func (a at) secret(path string) (SecretKey, bool) {
	key, err := a.d.readKey(path)
	if err != nil {
		a.fail(err.Hint, "%s", err.Problem)
		return SecretKey{}, false
	}
	return key, true
}

// splitHostPort takes apart "host:port", where the host may be missing and an
// IPv6 address stands in brackets.
func splitHostPort(s string) (host string, port uint16, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", 0, false
	}
	host = s[:i]
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil {
		return "", 0, false
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is6() {
			return "", 0, false
		}
	} else if strings.ContainsAny(host, "[]:") {
		return "", 0, false
	}
	return host, uint16(n), true
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$`)

// validHost accepts an address or what may be a DNS name.
func validHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return !addr.IsUnspecified() && !addr.IsMulticast()
	}
	if strings.Trim(host, "0123456789.") == "" {
		return false // meant to be an IPv4 address
	}
	return len(host) <= 253 && hostName.MatchString(host)
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
