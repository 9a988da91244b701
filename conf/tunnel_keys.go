package conf

import (
	"cmp"
	"fmt"
	"math"
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

// SocketDir is the folder of the status sockets, unless a configuration names another.
const SocketDir = "/run/fathom"

// MaxSocketPath is the length in bytes of the longest path of a Unix socket:
// sun_path of unix(7) with its zero byte.
const MaxSocketPath = 107

// Limits of values.
const (
	minRekeyAfter, maxRekeyAfter     = time.Second, time.Hour
	minRekeyPackets, maxRekeyPackets = 1000, 1 << 30
	maxInterfaceName                 = 15 // bytes; IFNAMSIZ with its zero byte
	maxQueues                        = 16
	maxUplinks                       = 8
	// minMTU is that of an IPv6 link (RFC 8200 section 5), in bytes: below it
	// Linux takes IPv6 away from an interface. maxMTU is the largest IP packet.
	minMTU, maxMTU = 1280, 65535
)

// cipherNames are what tunnel.ciphers may hold, the preferred one first.
var cipherNames = []string{"aes-256-gcm", "chacha20-poly1305"}

// fields are the keys of [tunnel].
func (t *Tunnel) fields() []field {
	addresses := make(map[netip.Addr]bool)
	return []field{
		{"name", text, false, strconv.Quote(DefaultName), t.setName},
		{"private_key_file", text, true, `"/etc/fathom/private.key"`, t.setPrivateKey},
		{"listen", text, false, strconv.Quote(":" + strconv.Itoa(DefaultPort)), t.setListen},
		{"uplinks", list, false, "", t.addUplink},
		{"address", list, true, `["10.77.0.1/24"]`, func(a at, v value) { t.addAddress(a, v, addresses) }},
		{"ciphers", list, false, `["` + strings.Join(cipherNames, `", "`) + `"]`, t.addCipher},
		{"rekey_after", duration, false, `"120s"`, setDuration(&t.RekeyAfter, minRekeyAfter, maxRekeyAfter, false)},
		{"rekey_after_packets", integer, false, strconv.Itoa(maxRekeyPackets), setNumber(&t.RekeyAfterPackets, minRekeyPackets, maxRekeyPackets)},
		{"routes", boolean, false, "true", setBool(&t.Routes)},
		{"fwmark", size, false, strconv.Quote(autoSize), t.setFwMark},
		{"table", size, false, strconv.Quote(autoSize), setSize(&t.Table, 1, math.MaxInt32)},
		{"on_stop", text, false, strconv.Quote(OnStopRelease), setChoice(&t.OnStop, "a choice for the time after the end", OnStopRelease, OnStopBlock)},
		{"mtu", size, false, strconv.Quote(autoSize), setSize(&t.MTU, minMTU, maxMTU)},
		{"oversize", text, false, strconv.Quote(OversizeCarry), setChoice(&t.Oversize, "a policy for oversize packets", OversizeCarry, OversizeSignal, OversizeDrop)},
		{"outer_df", text, false, strconv.Quote(OuterDFSet), setChoice(&t.OuterDF, "a setting of the DF bit", OuterDFSet, OuterDFClear)},
		{"dscp", text, false, strconv.Quote(DSCPCopy), setChoice(&t.DSCP, "a policy for the DSCP", DSCPCopy, DSCPClear)},
		{"ecn", text, false, strconv.Quote(ECNNormal), setChoice(&t.ECN, "a mode of ECN", ECNNormal, ECNCompatibility)},
		{"mss_clamp", boolean, false, "true", setBool(&t.MSSClamp)},
		{"offload", text, false, strconv.Quote(OffloadAuto), setChoice(&t.Offload, "a setting of segmentation and receive offload", OffloadAuto, OffloadOff)},
		{"queues", integer, false, "0", setNumber(&t.Queues, 0, maxQueues)},
		{"status_socket", text, false, "", t.setStatusSocket}, // default: see defaultStatusSocket
		{"history_file", text, false, "", func(a at, v value) { // default: see defaultHistoryFile
			a.d.history = true
			if v.text != "" { // else none is kept
				t.HistoryFile, _ = a.path(v, &a.d.writes)
			}
		}},
		{"metrics", text, false, "", t.setMetrics},
		{"log_level", text, false, `"info"`, func(a at, v value) {
			level := "info"
			setChoice(&level, "a log level", "debug", "info", "warn", "error")(a, v)
			t.LogLevel.UnmarshalText([]byte(level)) // knows all four
		}},
		{"debug_esp_sa_file", text, false, "", func(a at, v value) {
			if v.text != "" { // else off
				t.DebugESPSAFile, _ = a.path(v, &a.d.writes)
			}
		}},
	}
}

// defaultStatusSocket is where a tunnel answers `fathom status`.
func defaultStatusSocket(name string) string {
	return filepath.Join(SocketDir, name+".sock")
}

// StateDir is the folder of what a tunnel keeps across a restart of the host.
const StateDir = "/var/lib/fathom"

// defaultHistoryFile is where a tunnel keeps its history: where the status socket is in
// another folder than usual, beside it.
func defaultHistoryFile(name, statusSocket string) string {
	dir := filepath.Dir(statusSocket)
	if dir == SocketDir {
		dir = StateDir
	}
	return filepath.Join(dir, name+".history")
}

// interfaceName accepts what Linux accepts as the name of a new interface
// (dev_valid_name), as far as it can be typed. A percent sign would make the
// kernel number it.
func (a at) interfaceName(s string) (ok bool) {
	odd := strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("/:%", c) })
	if s == "" || len(s) > maxInterfaceName || odd || s == "." || s == ".." {
		a.fail(fmt.Sprintf("%q cannot be the name of a network interface", s),
			fmt.Sprintf("1 to %d ASCII characters without spaces, slashes, colons and percent signs", maxInterfaceName))
		return false
	}
	return true
}

// kernelNames are the names of interfaces that the kernel itself takes.
var kernelNames = []string{"lo", "all", "default"}

// setName leaves out the names that the kernel itself takes.
func (t *Tunnel) setName(a at, v value) {
	switch s := v.text; {
	case !a.interfaceName(s):
	case slices.Contains(kernelNames, s):
		a.fail(fmt.Sprintf("%q is taken by the kernel", s), "another name, such as "+DefaultName)
	default:
		t.Name = s
	}
}

// addUplink leaves it to checkUplinks to find the tunnel itself. The interface need not
// exist yet.
func (t *Tunnel) addUplink(a at, v value) {
	switch s := v.text; {
	case !a.interfaceName(s):
	case slices.Contains(kernelNames, s):
		a.fail(fmt.Sprintf("%q leads to no other host", s), "an interface of this host, such as eth0")
	case slices.Contains(t.Uplinks, s):
		a.fail(s+" comes twice", "each interface once, the preferred one first")
	case len(t.Uplinks) == maxUplinks:
		a.fail(fmt.Sprintf("%q is one too many", s), fmt.Sprintf("at most %d", maxUplinks))
	default:
		t.Uplinks = append(t.Uplinks, s)
		a.d.uplinks = append(a.d.uplinks, a)
	}
}

func (t *Tunnel) setPrivateKey(a at, v value) {
	file, ok := a.path(v, &a.d.reads)
	if !ok {
		return
	}
	t.PrivateKeyFile = file
	if key, ok := a.secret(file, "fathom genkey"); ok && !key.clamped() {
		a.fail(file+" does not hold a private key, perhaps a public or preshared one", "`fathom genkey` makes a private key")
	} else {
		t.PrivateKey = key
	}
}

func (t *Tunnel) setListen(a at, v value) {
	host, port, problem := splitHostPort(v.text)
	addr, err := netip.ParseAddr(host)
	switch {
	case problem != "":
		problem = fmt.Sprintf("%q %s", v.text, problem)
	case host != "" && err != nil:
		problem = fmt.Sprintf("%q is not an address", host)
	case addr.IsMulticast():
		problem = host + " is a multicast address"
	}
	if problem != "" {
		a.fail(problem, `":4500" for all addresses, "192.0.2.1:4500" or "[2001:db8::1]:4500" for one`)
	} else {
		t.ListenHost, t.ListenPort = addr.Unmap(), port
	}
}

// addAddress accepts addresses that a host can have in a network that is not
// everything.
func (t *Tunnel) addAddress(a at, v value, seen map[netip.Addr]bool) {
	p, ok := a.prefix(v.text, `an address and the length of its network's prefix, such as "10.77.0.1/24"`)
	addr := p.Addr()
	lone := p.Bits() >= addr.BitLen()-1 // no room for special addresses: RFC 3021, RFC 6164
	switch {
	case !ok:
	case addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() || addr == broadcast:
		a.fail(fmt.Sprintf("%s cannot be the address of this end", addr), "a unicast address")
	case p.Bits() == 0:
		a.fail(v.text+" would make every address a neighbour in the tunnel", fmt.Sprintf("the length of the tunnel's network, or %s/%d", addr, addr.BitLen()))
	case !lone && p == p.Masked():
		a.fail(v.text+" is the address of the network itself", fmt.Sprintf("this end's own, such as %s/%d", addr.Next(), p.Bits()))
	case !lone && addr.Is4() && !p.Contains(addr.Next()):
		a.fail(v.text+" is the broadcast address of its network", fmt.Sprintf("this end's own, such as %s/%d", p.Masked().Addr().Next(), p.Bits()))
	case seen[addr]:
		a.fail(fmt.Sprintf("%s comes twice", addr), "each address once")
	default:
		seen[addr] = true
		t.Addresses = append(t.Addresses, p)
	}
}

func (t *Tunnel) setFwMark(a at, v value) {
	if v.text == autoSize {
		t.FwMark = 0
		return
	}
	setNumber(&t.FwMark, 1, math.MaxUint32)(a, v)
}

func (t *Tunnel) addCipher(a at, v value) {
	switch {
	case !slices.Contains(cipherNames, v.text):
		a.fail(fmt.Sprintf("%q is not a cipher", v.text), didYouMean(v.text, cipherNames))
	case slices.Contains(t.Ciphers, v.text):
		a.fail(v.text+" comes twice", "each cipher once, the preferred one first")
	default:
		t.Ciphers = append(t.Ciphers, v.text)
	}
}

func (t *Tunnel) setStatusSocket(a at, v value) { a.socket(v, &t.StatusSocket) }

// socket stores the path of a Unix socket that the tunnel makes.
func (a at) socket(v value, into *string) {
	file, ok := a.path(v, &a.d.writes)
	if len(file) > MaxSocketPath {
		a.fail(fmt.Sprintf("%s has %d bytes", file, len(file)), fmt.Sprintf("a socket's path has at most %d", MaxSocketPath))
	} else if ok {
		*into = file
	}
}

// setMetrics accepts places that no other host can reach: who asks there is asked for
// nothing, and is told who the peers are and where.
func (t *Tunnel) setMetrics(a at, v value) {
	if _, noKey := ParseKey(v.text); noKey == nil || strings.Contains(v.text, "/") || !strings.Contains(v.text, ":") && strings.HasSuffix(v.text, ".sock") {
		a.socket(v, &t.MetricsSocket)
		return
	}
	host, port, problem := splitHostPort(v.text)
	addr, err := netip.ParseAddr(host)
	hint := `"127.0.0.1:9586", "[::1]:9586", or the path of a Unix socket, such as "/run/fathom/metrics.sock"`
	switch {
	case v.text == "":
		problem = "is empty"
	case problem != "":
		problem = fmt.Sprintf("%q %s", v.text, problem)
	case host == "localhost":
		problem = "localhost is a name"
	case host != "" && err != nil:
		problem = fmt.Sprintf("%q is not an address", host)
	case !addr.Unmap().IsLoopback():
		problem = fmt.Sprintf("%q can be reached from other hosts, and whoever asks there is told who the peers are", v.text)
		hint = "an address of the loopback, such as 127.0.0.1:" + cmp.Or(strings.TrimLeft(strconv.Itoa(int(port)), "0"), "9586") + "; a reverse proxy with a password can pass it on"
	case port == 0:
		problem = fmt.Sprintf("%q has no port to ask at", v.text)
	}
	if problem != "" {
		a.fail(problem, hint)
	} else {
		t.MetricsAddr = netip.AddrPortFrom(addr.Unmap(), port)
	}
}
