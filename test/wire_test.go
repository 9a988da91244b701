//go:build linux

package test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fathom/esp"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// secretText is in the inner packets of these tests, and must not be seen outside.
const secretText = "the figures of the third quarter"

// converseInside sends one inner packet of every kind in both directions.
func converseInside(t *testing.T, p *pair) {
	t.Helper()
	for _, way := range []struct {
		from, to *netlab.Host
		address  string
	}{{p.A, p.B, innerB4}, {p.B, p.A, innerA6}} {
		pinger(t, way.from, way.address)
		client, server := connect(t, way.from, way.to, way.address)
		_, err := io.WriteString(client, secretText)
		check(t, err)
		_, err = io.ReadFull(server, make([]byte, len(secretText)))
		check(t, err)
		client.Close()
		if s := startStream(t, way.from, way.to, way.address, 1200, 5*time.Millisecond).reach(10).stop(); s.lost > 0 {
			t.Errorf("%v", s)
		}
	}
}

// upRecorded starts both ends and records the wire from before the first
// message. B waits to be called, so that no message meets a closed port.
func upRecorded(t *testing.T, p *pair, extra string, family outer) *netlab.Capture {
	t.Helper()
	check(t, p.a.Configure(extra, gateway.Peer{Gateway: p.b, Endpoint: p.endpoint(p.Right.B, family)}))
	check(t, p.b.Configure(extra, gateway.Peer{Gateway: p.a}))
	check(t, p.b.Start())
	statusOf(t, p.b)
	wire := labtest.Capture(t, p.Right.A)
	up(t, p.a)
	await(t, p.b, gateway.Established)
	return wire
}

// TestNothingElseIsOnTheWire looks at every packet between the routers: it is
// ESP, a handshake message or a keepalive, unfragmented and with DF, and shows
// nothing of the inner packets.
func TestNothingElseIsOnTheWire(t *testing.T) {
	tier.Select(t)
	for name, family := range map[string]outer{"over IPv4": overIPv4, "over IPv6": overIPv6} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, family, "")
			wire := upRecorded(t, p, "", family)
			converseInside(t, p)
			wire.Stop()
			kinds := make(map[esp.Kind]int)
			for _, packet := range wire.Packets() {
				b := packet.Data
				if bytes.Contains(b, []byte(secretText)) {
					t.Fatalf("a packet shows its content:\n%x", b)
				}
				payload, ok := outerPayload(t, b)
				if ok {
					kinds[esp.Classify(payload)]++
				}
			}
			if kinds[esp.KindESP] < 40 || kinds[esp.KindHandshake] < 2 || kinds[esp.KindInvalid] > 0 {
				t.Errorf("kinds of packets: %v", kinds)
			}
		})
	}
}

// outerPayload returns what a UDP packet on the wire carries; the
// neighbour and listener discovery of the hosts' kernels is not ok.
func outerPayload(t *testing.T, b []byte) (payload []byte, ok bool) {
	t.Helper()
	const udp, hopByHop, icmp6, udpHeader = 17, 0, 58, 8
	switch b[0] >> 4 {
	case 4:
		if flags := b[6] >> 5; flags != 2 {
			t.Errorf("flags %03b of an outer packet, want DF alone", flags)
		}
		if b[9] != udp {
			t.Errorf("protocol %d on the wire", b[9])
		}
		return b[20+udpHeader:], true
	default:
		if b[6] == icmp6 || b[6] == hopByHop && b[40] == icmp6 {
			return nil, false
		}
		if b[6] != udp {
			t.Errorf("next header %d on the wire", b[6])
		}
		return b[40+udpHeader:], true
	}
}

// TestWiresharkDecodes gives tshark the file of debug_esp_sa_file, and expects
// it to see the inner packets. (tshark 4.0 decrypts AES-GCM but does not check
// the ICV, and does not know ChaCha20-Poly1305: these stand on the published
// vectors in package esp.)
func TestWiresharkDecodes(t *testing.T) {
	tier.Select(t)
	tshark := program(t, "tshark", "tshark")
	p := newPair(t, overIPv4, "")
	wire := upRecorded(t, p, "debug_esp_sa_file = \"esp_sa\"", overIPv4)
	converseInside(t, p)
	wire.Stop()

	keys := filepath.Join(p.a.Dir, "esp_sa")
	info, err := os.Stat(keys)
	check(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("the file with the keys has mode %v", info.Mode())
	}
	if !strings.Contains(p.a.Log(), "level=WARN msg=\"writing the keys of all traffic to a file\"") {
		t.Error("no warning that keys are written to a file")
	}

	home, err := os.MkdirTemp("", "fathom-tshark")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(home) })
	check(t, os.MkdirAll(filepath.Join(home, "wireshark"), 0o700))
	text, err := os.ReadFile(keys)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(home, "wireshark", "esp_sa"), text, 0o600))
	pcap := filepath.Join(home, "wire.pcap")
	check(t, wire.WriteFile(pcap))
	frames := func(filter string) (lines []string) {
		t.Helper()
		show := p.A.Command(tshark, "-n", "-r", pcap, "-o", "esp.enable_encryption_decode:TRUE", "-Y", filter,
			"-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info")
		show.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home, "HOME="+home)
		out, err := show.Output()
		if err != nil {
			t.Fatalf("tshark: %v\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			lines = append(lines, line)
		}
		return lines
	}

	count := make(map[esp.Kind]int)
	for _, packet := range wire.Packets() {
		if payload, ok := outerPayload(t, packet.Data); ok {
			count[esp.Classify(payload)]++
		}
	}
	if n := len(frames("esp")); n != count[esp.KindESP] {
		t.Errorf("tshark sees %d ESP packets, there are %d", n, count[esp.KindESP])
	}
	// Control messages, in dummy packets, are decrypted data to tshark.
	if rest := frames("esp && !(ip.src == 10.77.0.0/24 || ipv6.src == fd77::/64 || data.data contains 46:54:48:01)"); len(rest) > 0 {
		t.Errorf("tshark does not decode\n%s", strings.Join(rest, ""))
	}
	// A machine that stalls makes TCP send again what is under way.
	const first = " && !tcp.analysis.retransmission && !tcp.analysis.fast_retransmission && !tcp.analysis.spurious_retransmission"
	for filter, want := range map[string]int{
		"icmp.type == 8 && ip.src == 10.77.0.1 && ip.dst == 10.77.0.2":     3,
		"icmp.type == 0 && ip.src == 10.77.0.2 && ip.dst == 10.77.0.1":     3,
		"icmpv6.type == 128 && ipv6.src == fd77::2 && ipv6.dst == fd77::1": 3,
		"icmpv6.type == 129 && ipv6.src == fd77::1 && ipv6.dst == fd77::2": 3,
		fmt.Sprintf("tcp.payload contains %q", secretText) + first:         2,
	} {
		if got := frames(filter); len(got) != want {
			t.Errorf("%s: %d packets, want %d:\n%s", filter, len(got), want, strings.Join(got, ""))
		}
	}
	if bad := frames("esp && _ws.malformed"); len(bad) > 0 {
		t.Errorf("tshark finds malformed packets:\n%s", strings.Join(bad, ""))
	}
	if n := len(frames("esp && udp.length == 1208 && ip.ttl")); n < 5 {
		t.Errorf("tshark sees %d of the UDP packets inside", n)
	}
}
