package conf

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Defaults that others need to know.
const (
	DefaultName = "fathom0"
	DefaultPort = 4500 // RFC 3948 section 2
)

// Limits of values.
const (
	minRekeyAfter, maxRekeyAfter     = time.Second, time.Hour
	minRekeyPackets, maxRekeyPackets = 1000, 1 << 30
	maxInterfaceName                 = 15  // bytes; IFNAMSIZ with its zero byte
	maxSocketPath                    = 107 // bytes; sun_path with its zero byte
	maxQueues                        = 16
	statusDirectory                  = "/run/fathom"
)

// cipherNames are what tunnel.ciphers may hold, the preferred one first.
var cipherNames = []string{"aes-256-gcm", "chacha20-poly1305"}

// What tunnel.oversize, offload, outer_df, dscp and ecn may hold, the default first.
var (
	oversizePolicies = []string{OversizeCarry, OversizeSignal, OversizeDrop}
	offloadSettings  = []string{OffloadAuto, OffloadOff}
	dfSettings       = []string{OuterDFSet, OuterDFClear}
	dscpPolicies     = []string{DSCPCopy, DSCPClear}
	ecnModes         = []string{ECNNormal, ECNCompatibility}
)

var logLevels = []struct {
	name  string
	level slog.Level
}{
	{"debug", slog.LevelDebug},
	{"info", slog.LevelInfo},
	{"warn", slog.LevelWarn},
	{"error", slog.LevelError},
}

// tunnelFields are the keys of [tunnel].
var tunnelFields = []field[Tunnel]{
	{"name", text, false, strconv.Quote(DefaultName), setTunnelName},
	{"private_key_file", path, true, `"/etc/fathom/private.key"`, setPrivateKey},
	{"listen", text, false, strconv.Quote(":" + strconv.Itoa(DefaultPort)), setListen},
	{"address", list, true, `["10.77.0.1/24"]`, setAddress},
	{"ciphers", list, false, `["aes-256-gcm", "chacha20-poly1305"]`, setCiphers},
	{"rekey_after", duration, false, `"120s"`, func(a at, v value, t *Tunnel) {
		t.RekeyAfter, _ = a.duration(v, minRekeyAfter, maxRekeyAfter)
	}},
	{"rekey_after_packets", integer, false, strconv.Itoa(maxRekeyPackets), func(a at, v value, t *Tunnel) {
		n, _ := a.integer(v, minRekeyPackets, maxRekeyPackets)
		t.RekeyAfterPackets = uint32(n)
	}},
	{"routes", boolean, false, "true", func(_ at, v value, t *Tunnel) { t.Routes = v.data.(bool) }},
	{"oversize", text, false, strconv.Quote(oversizePolicies[0]), func(a at, v value, t *Tunnel) {
		t.Oversize = a.oneOf(v, oversizePolicies, "a policy for oversize packets")
	}},
	{"outer_df", text, false, strconv.Quote(dfSettings[0]), func(a at, v value, t *Tunnel) {
		t.OuterDF = a.oneOf(v, dfSettings, "a setting of the DF bit")
	}},
	{"dscp", text, false, strconv.Quote(dscpPolicies[0]), func(a at, v value, t *Tunnel) {
		t.DSCP = a.oneOf(v, dscpPolicies, "a policy for the DSCP")
	}},
	{"ecn", text, false, strconv.Quote(ecnModes[0]), func(a at, v value, t *Tunnel) {
		t.ECN = a.oneOf(v, ecnModes, "a mode of ECN")
	}},
	{"mss_clamp", boolean, false, "true", func(_ at, v value, t *Tunnel) { t.MSSClamp = v.data.(bool) }},
	{"offload", text, false, strconv.Quote(offloadSettings[0]), func(a at, v value, t *Tunnel) {
		t.Offload = a.oneOf(v, offloadSettings, "a setting of segmentation and receive offload")
	}},
	{"queues", integer, false, "0", func(a at, v value, t *Tunnel) {
		n, _ := a.integer(v, 0, maxQueues)
		t.Queues = int(n)
	}},
	{"status_socket", path, false, "", setStatusSocket}, // default: see defaultStatusSocket
	{"log_level", text, false, `"info"`, setLogLevel},
	{"debug_esp_sa_file", path, false, "", func(a at, v value, t *Tunnel) {
		if v.text == "" {
			return // off
		}
		if file, ok := a.path(v); ok {
			t.DebugESPSAFile = file
			a.names(file, writes)
		}
	}},
}

// defaultStatusSocket is where a tunnel answers `fathom status`.
func defaultStatusSocket(name string) string {
	return filepath.Join(statusDirectory, name+".sock")
}

// setTunnelName accepts what Linux accepts as the name of a new interface
// (dev_valid_name), as far as it can be typed. A percent sign would make the
// kernel number it, and three names are taken by the kernel itself.
func setTunnelName(a at, v value, t *Tunnel) {
	s := v.text
	odd := strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("/:%", c) })
	switch {
	case s == "" || len(s) > maxInterfaceName || odd || s == "." || s == "..":
		a.fail(fmt.Sprintf("%q cannot be the name of a network interface", s),
			fmt.Sprintf("1 to %d ASCII characters without spaces, slashes, colons and percent signs", maxInterfaceName))
	case s == "lo" || s == "all" || s == "default":
		a.fail(fmt.Sprintf("%q is taken by the kernel", s), "another name, such as "+DefaultName)
	default:
		t.Name = s
	}
}

func setPrivateKey(a at, v value, t *Tunnel) {
	file, ok := a.path(v)
	if !ok {
		return
	}
	t.PrivateKeyFile = file
	a.names(file, reads)
	key, ok := a.secret(file, "fathom genkey")
	if !ok {
		return
	}
	if !key.clamped() {
		a.fail(file+" does not hold a private key, perhaps a public or preshared one", "`fathom genkey` makes a private key")
		return
	}
	t.PrivateKey = key
}

func setListen(a at, v value, t *Tunnel) {
	const hint = `":4500" for all addresses, "192.0.2.1:4500" or "[2001:db8::1]:4500" for one`
	host, port, problem := splitHostPort(v.text)
	if problem != "" {
		a.fail(fmt.Sprintf("%q %s", v.text, problem), hint)
		return
	}
	t.ListenPort = port
	if host == "" {
		return
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		a.fail(fmt.Sprintf("%q is not an address", host), hint)
	case addr.IsMulticast():
		a.fail(fmt.Sprintf("%s is a multicast address", addr), hint)
	default:
		t.ListenHost = addr.Unmap()
	}
}

// setAddress accepts addresses that a host can have in a network that is not
// everything.
func setAddress(a at, v value, t *Tunnel) {
	seen := make(map[netip.Addr]bool)
	for _, item := range v.items() {
		a := a.item(item)
		p, ok := a.prefix(item.text, `an address and the length of its network's prefix, such as "10.77.0.1/24"`)
		if !ok {
			continue
		}
		addr := p.Addr()
		lone := p.Bits() >= addr.BitLen()-1 // no room for special addresses: RFC 3021, RFC 6164
		switch {
		case addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() || addr == broadcast:
			a.fail(fmt.Sprintf("%s cannot be the address of this end", addr), "a unicast address")
		case p.Bits() == 0:
			a.fail(item.text+" would make every address a neighbour in the tunnel", fmt.Sprintf("the length of the tunnel's network, or %s/%d", addr, addr.BitLen()))
		case !lone && p == p.Masked():
			a.fail(fmt.Sprintf("%s is the address of the network itself", item.text), fmt.Sprintf("this end's own, such as %s/%d", addr.Next(), p.Bits()))
		case !lone && addr.Is4() && !p.Contains(addr.Next()):
			a.fail(fmt.Sprintf("%s is the broadcast address of its network", item.text), fmt.Sprintf("this end's own, such as %s/%d", p.Masked().Addr().Next(), p.Bits()))
		case seen[addr]:
			a.fail(fmt.Sprintf("%s comes twice", addr), "each address once")
		default:
			seen[addr] = true
			t.Addresses = append(t.Addresses, p)
		}
	}
}

func setCiphers(a at, v value, t *Tunnel) {
	for _, item := range v.items() {
		a := a.item(item)
		switch {
		case !slices.Contains(cipherNames, item.text):
			a.fail(fmt.Sprintf("%q is not a cipher", item.text), didYouMean(item.text, cipherNames))
		case slices.Contains(t.Ciphers, item.text):
			a.fail(fmt.Sprintf("%s comes twice", item.text), "each cipher once, the preferred one first")
		default:
			t.Ciphers = append(t.Ciphers, item.text)
		}
	}
}

func setStatusSocket(a at, v value, t *Tunnel) {
	file, ok := a.path(v)
	if !ok {
		return
	}
	if len(file) > maxSocketPath {
		a.fail(fmt.Sprintf("%s has %d bytes", file, len(file)), fmt.Sprintf("a socket's path has at most %d", maxSocketPath))
		return
	}
	t.StatusSocket = file
	a.names(file, writes)
}

func setLogLevel(a at, v value, t *Tunnel) {
	var known []string
	for _, l := range logLevels {
		if l.name == v.text {
			t.LogLevel = l.level
			return
		}
		known = append(known, l.name)
	}
	a.fail(fmt.Sprintf("%q is not a log level", v.text), didYouMean(v.text, known))
}
