package conf

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzParse checks the promises of Parse on arbitrary files.
func FuzzParse(f *testing.F) {
	for _, data := range invalidFiles(f) {
		f.Add(data)
	}
	f.Add([]byte(smallest + smallestPeer))
	f.Add(Template(DefaultName, "private.key", ownPublicKey))
	f.Add([]byte(smallest + smallestPeer + "endpoint = \"[2001:db8::1]:4500\"\nkeepalive = \"25s\"\npreshared_key_file = \"psk.key\"\nmax_plpmtu = 9000\n"))
	f.Add([]byte("# \xff\n# no text\n"))
	f.Add([]byte("[[peer]]\nname.a = '''\r\n\"\n" + strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > maxFile {
			return // Load does not hand on so much
		}
		before := bytes.Clone(data)
		reads := 0
		readKey := func(path string) ([]byte, error) {
			reads++
			return keysByName(path)
		}
		c, err := Parse("etc/f", data, readKey)
		if !bytes.Equal(data, before) {
			t.Error("the input was changed")
		}
		if reads > 1+bytes.Count(data, []byte("\n")) {
			t.Errorf("%d key files were read", reads)
		}
		if err != nil {
			checkErrors(t, c, err, data)
		} else {
			checkConfig(t, c)
		}
		if bytes.HasPrefix(data, byteOrderMark) {
			return
		}
		again, err2 := Parse("etc/f", slices.Concat(byteOrderMark, data), readKey)
		if diff := cmp.Diff(fmt.Sprint(err), fmt.Sprint(err2)); diff != "" {
			t.Errorf("a byte order mark changes the reported mistakes:\n%s", diff)
		}
		if diff := cmp.Diff(c, again, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}), cmp.Comparer(sameSecret)); diff != "" {
			t.Errorf("a byte order mark changes the configuration:\n%s", diff)
		}
	})
}

func checkErrors(t *testing.T, c *Config, err error, data []byte) {
	t.Helper()
	list, ok := err.(Errors)
	if !ok || c != nil || len(list) == 0 {
		t.Fatalf("configuration %v, error %T %v", c, err, err)
	}
	// Each mistake takes some bytes of the file, except missing keys.
	if most := 8 + len(data); len(list) > most {
		t.Errorf("%d mistakes in %d bytes", len(list), len(data))
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	checkPlaces(t, list, "etc/f", data)
	for _, e := range list {
		text := e.Error()
		if prefix := fmt.Sprintf("etc/f:%d: ", e.Line); !strings.HasPrefix(text, prefix) || len(text) == len(prefix) {
			t.Errorf("%q does not begin with %s", text, prefix)
		}
		if len(text) > 4*maxShown || !utf8.ValidString(text) || strings.ContainsAny(text, "\n\r\x1b\x00") {
			t.Errorf("cannot be shown: %d bytes, %q", len(text), text)
		}
	}
	// The fuzzer cannot guess a key of the key files, so data cannot bring one
	// into an error.
	checkHidden(t, err.Error(), decoded(t, privateKey), decoded(t, presharedKey))
}

// checkConfig checks the promises that other packages rely on.
func checkConfig(t *testing.T, c *Config) {
	t.Helper()
	wrong := func(format string, args ...any) {
		t.Helper()
		t.Errorf(format, args...)
	}
	tunnel := c.Tunnel
	if c.Path != "etc/f" || tunnel.Name == "" || len(tunnel.Name) > maxInterfaceName || tunnel.PrivateKey.IsZero() || tunnel.PrivateKeyFile == "" || tunnel.StatusSocket == "" {
		wrong("%+v", c)
	}
	if at := tunnel.MetricsAddr; at.IsValid() && (!at.Addr().IsLoopback() || at.Port() == 0 || tunnel.MetricsSocket != "") {
		wrong("metrics at %v and %q", at, tunnel.MetricsSocket)
	}
	if len(tunnel.Addresses) == 0 || len(tunnel.Ciphers) == 0 || len(tunnel.Ciphers) > len(cipherNames) {
		wrong("addresses %v, ciphers %v", tunnel.Addresses, tunnel.Ciphers)
	}
	if tunnel.RekeyAfter < minRekeyAfter || tunnel.RekeyAfter > maxRekeyAfter || tunnel.RekeyAfterPackets < minRekeyPackets || tunnel.RekeyAfterPackets > maxRekeyPackets {
		wrong("rekey after %v or %d", tunnel.RekeyAfter, tunnel.RekeyAfterPackets)
	}
	if !slices.Contains([]string{OversizeCarry, OversizeSignal, OversizeDrop}, tunnel.Oversize) || !slices.Contains([]string{OuterDFSet, OuterDFClear}, tunnel.OuterDF) ||
		!slices.Contains([]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}, tunnel.LogLevel) {
		wrong("oversize %q, outer DF %q, log level %v", tunnel.Oversize, tunnel.OuterDF, tunnel.LogLevel)
	}
	keys, names, owned := map[Key]bool{tunnel.PrivateKey.public(): true}, map[string]bool{"": true}, map[netip.Prefix]bool{}
	reached := make(map[Endpoint]bool)
	for _, p := range c.Peers {
		if keys[p.PublicKey] || names[p.Name] || !p.PublicKey.possible() {
			wrong("the name or the key of %q is not its own", p.Name)
		}
		keys[p.PublicKey], names[p.Name] = true, true
		if len(p.AllowedIPs) == 0 {
			wrong("peer %q without allowed_ips", p.Name)
		}
		for _, prefix := range p.AllowedIPs {
			if owned[prefix] || prefix != prefix.Masked() || prefix.Addr().Is4In6() {
				wrong("%v at peer %q", prefix, p.Name)
			}
			owned[prefix] = true
			for _, e := range p.Endpoints {
				if tunnel.Routes && e.Addr().IsValid() && prefix.Contains(e.Addr()) {
					wrong("%v holds %v", prefix, e)
				}
			}
		}
		if p.Keepalive != 0 && (p.Keepalive < minKeepalive || p.Keepalive > time.Hour) {
			wrong("keepalive %v", p.Keepalive)
		}
		least := minPLPMTU
		if len(p.Endpoints) > maxEndpoints {
			wrong("%d endpoints", len(p.Endpoints))
		}
		for _, e := range p.Endpoints {
			if e.Addr().Is6() {
				least = minIPv6PLPMTU
			}
			if e.Host == "" || e.Port == 0 || reached[e] {
				wrong("endpoint %v", e)
			}
			reached[e] = true
		}
		for _, size := range []int{p.PLPMTU, p.MaxPLPMTU, p.MinPLPMTU} {
			if size != 0 && (size < least || size > maxPLPMTU) {
				wrong("size %d", size)
			}
		}
		bounds := p.MaxPLPMTU != 0 || p.MinPLPMTU != 0
		if !slices.Contains([]string{ProbingFan, ProbingSequential, ProbingOff}, p.Probing) || bounds && (p.PLPMTU != 0 || p.Probing == ProbingOff) || p.MaxPLPMTU != 0 && p.MinPLPMTU > p.MaxPLPMTU {
			wrong("probing %q, %d within %d and %d", p.Probing, p.PLPMTU, p.MinPLPMTU, p.MaxPLPMTU)
		}
	}
}
