//go:build linux

package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
	"fathom/tunnel/status"
	"fathom/tunnel/udp"
)

// doctor runs `fathom doctor` on a gateway's host, behind the words of a command that runs
// it, and returns what it prints.
func doctor(t testing.TB, g *gateway.Gateway, by ...string) (d status.Diagnosis) {
	t.Helper()
	words := append(by, fathom, "doctor", "-c", g.Config(), "--json")
	out, err := g.Host.Command(words[0], words[1:]...).Output()
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		check(t, err)
	}
	check(t, json.Unmarshal(out, &d))
	const findings = 6
	if want := map[bool]int{true: findings}[len(d.Findings) > 0]; code != want {
		t.Errorf("exit code %d, want %d: %s", code, want, out)
	}
	return d
}

// found checks that the doctor finds these things on a gateway's host, and nothing else. It
// looks again until it does, since ICMP may come late.
func found(t testing.TB, g *gateway.Gateway, want ...status.FindingCode) {
	t.Helper()
	foundBy(t, g, nil, want...)
}

func foundBy(t testing.TB, g *gateway.Gateway, by []string, want ...status.FindingCode) {
	t.Helper()
	slices.Sort(want)
	kernel, err := udp.Offer()
	check(t, err)
	// Where the kernel gives this user small buffers, all tunnels have them.
	small := kernel.ReceiveBuffer < udp.DefaultReceiveBuffer/2 && !slices.Contains(want, status.FindingSmallBuffer)
	for deadline := time.Now().Add(within); ; {
		d := doctor(t, g, by...)
		var codes []status.FindingCode
		for _, f := range d.Findings {
			if small && f.Code == status.FindingSmallBuffer {
				continue
			}
			codes = append(codes, f.Code)
			if f.What == "" || f.Remedy == "" {
				t.Errorf("without words: %+v", f)
			}
		}
		slices.Sort(codes)
		if slices.Equal(codes, want) {
			return
		}
		if time.Now().After(deadline) || t.Failed() {
			t.Fatalf("the doctor of %s finds %+v, want %v; not looked at: %+v", g.Name, d.Findings, want, d.Unexamined)
		}
	}
}

// healthy checks that the doctor finds nothing, and that it has looked at everything.
func healthy(t testing.TB, gateways ...*gateway.Gateway) {
	t.Helper()
	for _, g := range gateways {
		found(t, g)
		if d := doctor(t, g); len(d.Unexamined) > 0 || !d.Running {
			t.Errorf("%s: %+v", g.Name, d)
		}
	}
}

// withoutFile runs a command where a path is another file.
func withoutFile(path, other string) []string {
	return []string{"unshare", "--mount", "sh", "-c", fmt.Sprintf("mount --bind %s %s && exec \"$@\"", other, path), "sh"}
}

const behindB = "192.168.2.0/24"

// TestTheDoctorOfATunnelThatRuns makes a fault while both ends are up, and looks whether
// it is named, alone; it takes it back, and nothing is found any more.
func TestTheDoctorOfATunnelThatRuns(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	p := newPair(t, overIPv4, "")
	p.B.Forward() // it is the gateway of a network
	check(t, p.a.Configure("", gateway.Peer{Gateway: p.b, Endpoint: p.endpoint(p.Right.B, overIPv4), Routed: []string{behindB}}))
	up(t, p.a, p.b)
	exact(t, p.a, netlab.EthernetMTU)
	exact(t, p.b, netlab.EthernetMTU)
	// A rule for other interfaces is none of the tunnel's business.
	run(t, p.B, "nft", fmt.Sprintf("add table ip uplink; add chain ip uplink out { type filter hook forward priority mangle; }; "+
		"add rule ip uplink out oifname %q tcp flags syn tcp option maxseg size set rt mtu", p.Right.B.Name()))
	healthy(t, p.a, p.b)

	eth := p.Left.A
	policy := func(op string) func() {
		return func() {
			words := []string{"xfrm", "policy", op, "src", "10.77.0.0/24", "dst", innerB4 + "/32", "dir", "in"}
			if op == "add" {
				words = append(words, "tmpl", "src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "mode", "tunnel")
			}
			run(t, p.B, "ip", words...)
		}
	}
	address := func(prefix string) (func(), func()) {
		return func() { eth.AddAddress(netlab.Prefixes(prefix)...) }, func() { eth.RemoveAddress(netlab.Prefixes(prefix)...) }
	}
	clamp := strings.Fields("FORWARD --table mangle --protocol tcp --tcp-flags SYN,RST SYN --jump TCPMSS --clamp-mss-to-pmtu")
	collide, apart := address("10.77.0.129/25")
	join, leave := address("192.168.3.1/23")
	for _, test := range []struct {
		name       string
		make, mend func()
		on         *gateway.Gateway
		finding    status.FindingCode
	}{
		{"an IPsec policy", policy("add"), policy("delete"), p.b, status.FindingXfrmPolicy},
		{"an MSS rule", func() {
			run(t, p.A, "nft", "add table ip clamp; add chain ip clamp out { type filter hook forward priority mangle; }; add rule ip clamp out tcp flags syn tcp option maxseg size set rt mtu")
		}, func() { run(t, p.A, "nft", "delete table ip clamp") }, p.a, status.FindingMSSRule},
		{"an MSS rule of iptables", func() {
			run(t, p.A, program(t, "iptables", "iptables"), append([]string{"--append"}, clamp...)...)
		}, func() { run(t, p.A, "iptables", append([]string{"--delete"}, clamp...)...) }, p.a, status.FindingMSSRule},
		{"the inner address is of another network", collide, apart, p.a, status.FindingAddressCollides},
		{"the network behind the peer is this host's", join, leave, p.a, status.FindingNetworkCollides},
		{"forwarding is off", func() { p.B.Sysctl("net.ipv4.ip_forward", "0") }, func() { p.B.Sysctl("net.ipv4.ip_forward", "1") }, p.b, status.FindingNotForwarding},
		{"a route beside the tunnel", func() { p.A.AddRoute(netlab.Prefixes("192.168.2.1/32")[0], p.Left.B.Addr4()) },
			func() { p.A.RemoveRoute(netlab.Prefixes("192.168.2.1/32")[0], p.Left.B.Addr4()) }, p.a, status.FindingNotRouted},
	} {
		test.make()
		found(t, test.on, test.finding)
		test.mend()
		found(t, test.on)
	}

	// What the doctor does not understand it names. No namespace gets rid of this any more.
	run(t, p.A, program(t, "iptables-legacy", "iptables"), "--append", "INPUT", "--protocol", "icmp", "--jump", "DROP")
	if d := doctor(t, p.a); len(d.Findings) > 0 || len(d.Unexamined) != 1 || !strings.Contains(d.Unexamined[0].What, "legacy iptables") {
		t.Errorf("with legacy iptables: %+v", d)
	}

	p.R.LoseLonger(1400, p.Left.B)
	data := transferring(t, p.A, p.B, innerB4)
	exact(t, p.a, 1400)
	data.stop()
	found(t, p.a, status.FindingMTUDiffers)
	found(t, p.b, status.FindingMTUDiffers)
}

// TestTheDoctorOfATunnelThatDoesNotRun makes faults of the host, or of the way to the peer,
// before the start. The peer runs.
func TestTheDoctorOfATunnelThatDoesNotRun(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	p := newPair(t, overIPv4, "")
	check(t, p.b.Start())
	statusOf(t, p.b)
	endpoint := p.endpoint(p.Right.B, overIPv4)
	empty := t.TempDir()
	resolv := filepath.Join(empty, "resolv.conf")
	check(t, os.WriteFile(resolv, []byte("nameserver 127.0.0.1\n"), 0o644))
	run(t, p.R, "ip", "route", "add", "prohibit", "198.51.100.1")
	run(t, p.R, "ip", "route", "add", "prohibit", "2001:db8::1")
	run(t, p.A, "ip", "route", "add", "unreachable", "198.51.100.2")
	found(t, p.a)

	var other interface{ Close() error }
	none := func() {}
	for _, test := range []struct {
		name, endpoint string
		make, mend     func()
		by             []string
		finding        status.FindingCode
	}{
		{"no TUN device", endpoint, none, none, withoutFile("/dev/net", empty), status.FindingNoTUN},
		{"no capability", endpoint, none, none, []string{"setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"}, status.FindingNoCapability},
		{"another program has the port", endpoint, func() {
			var err error
			other, err = p.A.ListenPacket("udp", fmt.Sprintf(":%d", gateway.Port))
			check(t, err)
		}, func() { other.Close() }, nil, status.FindingPortInUse},
		{"the name does not resolve", "nobody.invalid:4500", none, none, withoutFile("/etc/resolv.conf", resolv), status.FindingNoName},
		{"no route", "198.51.100.2:4500", none, none, nil, status.FindingNoRoute},
		{"a router refuses", "198.51.100.1:4500", none, none, nil, status.FindingRefused},
		{"a router refuses IPv6", "[2001:db8::1]:4500", none, none, nil, status.FindingRefused},
		{"the port is closed", fmt.Sprintf("%s:%d", p.Right.B.Addr4(), gateway.Port+1), none, none, nil, status.FindingPortClosed},
		{"the port is closed, by IPv6", fmt.Sprintf("[%s]:%d", p.Right.B.Addr6(), gateway.Port+1), none, none, nil, status.FindingPortClosed},
		{"its own firewall refuses", endpoint, func() {
			run(t, p.A, "nft", "add table inet guard; add chain inet guard out { type filter hook output priority 0; }; add rule inet guard out udp dport 4500 drop")
		}, func() { run(t, p.A, "nft", "delete table inet guard") }, nil, status.FindingFirewallOut},
	} {
		check(t, p.a.Configure("", gateway.Peer{Gateway: p.b, Endpoint: test.endpoint}))
		test.make()
		switch test.finding {
		case status.FindingNoCapability: // and with it a small buffer, where the limit is as Linux has it
			if d := doctor(t, p.a, test.by...); !hasFinding(d, test.finding) || len(d.Unexamined) == 0 {
				t.Errorf("%s: %+v", test.name, d)
			}
		default:
			foundBy(t, p.a, test.by, test.finding)
		}
		test.mend()
	}
}

// names waits until the doctor finds a thing on a gateway's host, whatever else it finds.
func names(t testing.TB, g *gateway.Gateway, code status.FindingCode) {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		d := doctor(t, g)
		if hasFinding(d, code) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the doctor of %s finds %+v, and %s is not among that", g.Name, d.Findings, code)
		}
	}
}

func hasFinding(d status.Diagnosis, code status.FindingCode) bool {
	return slices.ContainsFunc(d.Findings, func(f status.Finding) bool { return f.Code == code })
}

// TestTheDoctorOfTwoEnds: what is amiss between the two files, and what keeps the ends
// apart while the tunnel runs.
func TestTheDoctorOfTwoEnds(t *testing.T) {
	tier.Select(t, tier.OffloadOnly)
	t.Parallel()
	p := newPair(t, overIPv4, "")
	there, here := p.endpoint(p.Right.B, overIPv4), p.endpoint(p.Left.A, overIPv4)
	again := func() {
		t.Helper()
		check(t, p.a.Stop())
		check(t, p.b.Stop())
	}

	// Nothing comes back, and a firewall that lets nothing in. Later a would know where b was.
	run(t, p.R, "ip", "route", "add", "blackhole", "198.51.100.1")
	check(t, p.a.Configure("", gateway.Peer{Gateway: p.b, Endpoint: "198.51.100.1:4500"}))
	check(t, p.a.Start())
	reason(t, p.a, status.ReasonNoAnswer)
	found(t, p.a, status.FindingNoAnswer)
	check(t, p.a.Stop())
	check(t, p.a.Configure("", gateway.Peer{Gateway: p.b}))
	run(t, p.A, "nft", "add table inet filter; add chain inet filter input { type filter hook input priority 0; policy drop; }; add chain inet filter services; "+
		"add rule inet filter input ct state vmap { established : accept, related : accept, invalid : drop }; add rule inet filter input iif lo accept; "+
		"add rule inet filter input tcp dport 22 accept; add rule inet filter input jump services; add rule inet filter services udp dport { 53, 67-68 } accept")
	check(t, p.a.Start())
	reason(t, p.a, status.ReasonWaiting)
	found(t, p.a, status.FindingFirewallIn, status.FindingWaiting)
	run(t, p.A, "nft", "add rule inet filter services udp dport { 53, 4000-4999 } accept")
	found(t, p.a, status.FindingWaiting)
	run(t, p.A, "nft", "delete table inet filter")
	run(t, p.A, program(t, "iptables", "iptables"), "--append", "INPUT", "--protocol", "udp", "--dport", "4500", "--jump", "DROP")
	found(t, p.a, status.FindingFirewallIn, status.FindingWaiting)
	check(t, p.a.Stop())
	run(t, p.A, "iptables", "--flush")

	// A host that lacks what Fathom wants, and a file that knows too few addresses.
	p.a.Host = p.A.Refusing(netlab.UDPOffloads | netlab.SocketBuffers)
	p.a.Inner = netlab.Prefixes("10.77.0.1/24")
	check(t, p.b.Configure("", gateway.Peer{Gateway: p.a, Endpoint: here}))
	p.a.Inner = netlab.Prefixes("10.77.0.1/24", "10.78.0.1/24")
	check(t, p.a.Configure("", gateway.Peer{Gateway: p.b, Endpoint: there}))
	up(t, p.a, p.b)
	found(t, p.b, status.FindingAllowedIPs)
	want := []status.FindingCode{status.FindingNoOffload, status.FindingAllowedIPs}
	if statusOf(t, p.a).Offload.ReceiveBuffer < udp.DefaultReceiveBuffer/2 { // net.core.rmem_default of most machines
		want = append(want, status.FindingSmallBuffer)
	}
	found(t, p.a, want...)
	again()

	// Both ends have one address.
	p.a.Host = p.A
	same, network := netlab.Prefixes("10.77.0.1/24"), []string{"10.77.0.0/24"}
	p.a.Inner, p.b.Inner = same, nil
	check(t, p.a.Configure("", gateway.Peer{Gateway: p.b, Endpoint: there, Routed: network}))
	p.a.Inner, p.b.Inner = nil, same
	check(t, p.b.Configure("", gateway.Peer{Gateway: p.a, Endpoint: here, Routed: network}))
	up(t, p.a, p.b)
	found(t, p.a, status.FindingSameAddress)
	found(t, p.b, status.FindingSameAddress)
}

// TestEachFindingIsMadeAndExplained: a test of this package makes each, and docs/doctor.md
// explains it.
func TestEachFindingIsMadeAndExplained(t *testing.T) {
	tier.Select(t, tier.Quick, tier.EitherWay)
	codes := make(map[string]string) // by the names of the constants
	parsed, err := parser.ParseFile(token.NewFileSet(), "../tunnel/status/doctor.go", nil, 0)
	check(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			check(t, err)
			codes[spec.Names[0].Name] = code
		}
		return true
	})
	made := make(map[string]bool)
	files, err := filepath.Glob("*_test.go")
	check(t, err)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		check(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				made[s.Sel.Name] = true
			}
			return true
		})
	}
	text, err := os.ReadFile("../docs/doctor.md")
	check(t, err)
	for name, code := range codes {
		if !made[name] {
			t.Errorf("no test makes %s", code)
		}
		if !strings.Contains(string(text), "| `"+code+"` |") {
			t.Errorf("docs/doctor.md does not explain %s", code)
		}
	}
	if len(codes) < 30 {
		t.Errorf("%d codes", len(codes))
	}
}
