//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/document"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// TestTwoHostsByTheREADME sets up two hosts as the README says, with the
// configuration that it shows, and uses the tunnel as people do.
func TestTwoHostsByTheREADME(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	ping := program(t, "ping", "iputils-ping")
	lab := labtest.New(t).Routed()
	shown := configOfREADME(t)

	type host struct {
		*netlab.Host
		dir, public string
	}
	hosts := []*host{{Host: lab.A}, {Host: lab.B}}
	for _, h := range hosts {
		dir, err := os.MkdirTemp("", "fathom")
		check(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		h.dir = dir
		out := run(t, h.Host, fathom, "init", "--dir", dir)
		for _, word := range strings.Fields(out) {
			if len(word) == 44 && strings.HasSuffix(word, "=") {
				h.public = word
			}
		}
		if h.public == "" {
			t.Fatalf("`fathom init` prints no public key:\n%s", out)
		}
	}
	a, b := hosts[0], hosts[1]
	write := func(h *host, changes ...string) {
		text := strings.NewReplacer(append(changes, "/etc/fathom/private.key", filepath.Join(h.dir, "private.key"))...).Replace(shown)
		// Two hosts with one file system cannot share the default.
		text = strings.Replace(text, "[[peer]]", fmt.Sprintf("status_socket = %q\n[[peer]]", filepath.Join(h.dir, "status.sock")), 1)
		check(t, os.WriteFile(filepath.Join(h.dir, "fathom.toml"), []byte(text), 0o600))
	}
	write(a, "B's public key", b.public, "b.example.org", lab.Right.B.Addr4().String())
	write(b, "B's public key", a.public, "b.example.org", lab.Left.A.Addr4().String(), "10.77.0.1/24", "10.77.0.2/24", "10.77.0.2/32", "10.77.0.1/32")

	var daemons []*netlab.Cmd
	for _, h := range hosts {
		config := filepath.Join(h.dir, "fathom.toml")
		run(t, h.Host, fathom, "check", "-c", config)
		daemon := h.Command(fathom, "up", "-c", config)
		var log strings.Builder
		daemon.Stderr = &log
		check(t, daemon.Start())
		daemons = append(daemons, daemon)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("log of %s:\n%s", h, log.String())
			}
		})
	}
	for _, h := range hosts {
		deadline := time.Now().Add(within)
		for h.Command(fathom, "status", "-c", filepath.Join(h.dir, "fathom.toml")).Run() != nil {
			if time.Now().After(deadline) {
				t.Fatalf("the tunnel on %s does not come up", h)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}

	for _, way := range []struct {
		from, to *host
		address  string
	}{{a, b, "10.77.0.2"}, {b, a, "10.77.0.1"}} {
		t.Run("ping from "+way.from.Name(), func(t *testing.T) {
			run(t, way.from.Host, ping, "-c", "3", "-i", "0.1", "-W", "5", way.address)
		})
		t.Run("iperf3 from "+way.from.Name(), func(t *testing.T) {
			for name, args := range map[string][]string{"to": nil, "back from": {"-R"}} {
				rate := iperf(t, way.from.Host, way.to.Host, way.address, args...)
				t.Logf("%s %s: %.0f Mbit/s", name, way.to, rate/1e6)
				if rate < 1e6 {
					t.Errorf("%.0f bit/s %s %s", rate, name, way.to)
				}
			}
		})
		t.Run("keystrokes from "+way.from.Name(), func(t *testing.T) {
			slowest := keystrokes(t, way.from.Host, way.to.Host, way.address, 100)
			t.Logf("the slowest of 100 keystrokes took %v", slowest.Round(time.Microsecond))
		})
	}

	t.Run("fathom status --json has the promised fields", func(t *testing.T) {
		var s map[string]any
		var pmtud map[string]any
		// The search takes a moment, and so does the next one when the machine has stalled.
		for deadline := time.Now().Add(within); pmtud["plpmtu"] != 1500.0 && time.Now().Before(deadline); {
			s = nil
			check(t, json.Unmarshal([]byte(run(t, a.Host, fathom, "status", "--json", "-c", filepath.Join(a.dir, "fathom.toml"))), &s))
			if peers, _ := s["peers"].([]any); len(peers) > 0 {
				pmtud, _ = peers[0].(map[string]any)["pmtud"].(map[string]any)
			}
		}
		if s["name"] != gateway.Device {
			t.Errorf("name is %v", s["name"])
		}
		peers, _ := s["peers"].([]any)
		if len(peers) != 1 {
			t.Fatalf("peers: %v", s["peers"])
		}
		peer := peers[0].(map[string]any)
		if peer["name"] != "b" || peer["state"] != "established" || peer["endpoint"] != net.JoinHostPort(lab.Right.B.Addr4().String(), "4500") {
			t.Errorf("peer: %v", peer)
		}
		for _, field := range []string{"rtt_ms", "rx_bytes", "tx_bytes"} {
			if n, ok := peer[field].(float64); !ok || n <= 0 {
				t.Errorf("%s is %v", field, peer[field])
			}
		}
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(peer["last_handshake"])); err != nil {
			t.Errorf("last_handshake: %v", err)
		}
		if _, ok := pmtud["state"].(string); !ok || pmtud["plpmtu"] != 1500.0 || pmtud["inner_mtu"] != 1438.0 {
			t.Errorf("pmtud: %v", pmtud)
		}
	})

	for i, daemon := range daemons {
		check(t, daemon.Process.Signal(unix.SIGTERM))
		if err := daemon.Wait(); err != nil {
			t.Errorf("`fathom up` on %s ended with %v", hosts[i], err)
		}
	}
}

// configOfREADME returns the configuration that the README shows.
func configOfREADME(t *testing.T) string {
	t.Helper()
	for _, block := range blocksOfREADME(t, "## Two real hosts") {
		if strings.HasPrefix(block, "[tunnel]\n") {
			return block
		}
	}
	t.Fatal("the README shows no configuration")
	return ""
}

// TestTwoNetworksByTheREADME goes on where the README joins the networks behind
// the two hosts: with firewalls that drop what they do not know, and hosts that
// lose PTBs. The path shrinks while they talk.
func TestTwoNetworksByTheREADME(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	sh, nft := program(t, "sh", "dash"), program(t, "nft", "nftables")
	ping := program(t, "ping", "iputils-ping")
	program(t, "sysctl", "procps")
	blocks := blocksOfREADME(t, "## Two networks")
	if len(blocks) != 7 {
		t.Fatalf("%d blocks: %q", len(blocks), blocks)
	}
	allowedA, allowedB, forwarding, firewall, routeX, routeY, look := blocks[0], blocks[1], blocks[2], blocks[3], blocks[4], blocks[5], blocks[6]
	dir := t.TempDir()
	as := func(h *netlab.Host, commands string) {
		run(t, h, sh, "-ec", strings.NewReplacer("sudo ", "", "/etc/sysctl.d", dir).Replace(commands))
	}

	l := newLongPathOver(t, 0)
	x, y := l.lab.Host("x"), l.lab.Host("y")
	l.lab.Connect(l.A, x, netlab.LinkConfig{AddrA: netlab.Prefixes("192.168.1.1/24"), AddrB: netlab.Prefixes("192.168.1.2/24")})
	l.lab.Connect(l.B, y, netlab.LinkConfig{AddrA: netlab.Prefixes("192.168.2.1/24"), AddrB: netlab.Prefixes("192.168.2.2/24")})
	l.configure(t, overIPv4, "", "")
	for g, allowed := range map[*gateway.Gateway]string{l.a: allowedA, l.b: allowedB} {
		config, err := os.ReadFile(g.Config())
		check(t, err)
		config = regexp.MustCompile(`(?m)^allowed_ips = .*\n`).ReplaceAll(config, []byte(allowed))
		check(t, os.WriteFile(g.Config(), config, 0o600))
		// Debian's chains, of a careful administrator.
		as(g.Host, nft+` 'table inet filter { chain input { type filter hook input priority filter; policy drop; iifname "lo" accept; ct state established,related accept; icmp type echo-request accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }; chain forward { type filter hook forward priority filter; policy drop; }; chain output { type filter hook output priority filter; }; }'`)
		as(g.Host, forwarding)
		as(g.Host, firewall)
	}
	as(x, routeX)
	as(y, routeY)
	for _, h := range []*netlab.Host{x, y} {
		h.LosePTB(true)
	}
	for _, r := range []*netlab.Host{l.R, l.S} {
		r.CutPTB(true)
	}
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	as(x, strings.Replace(look, "ping", ping+" -c 3 -i 0.1 -W 5", 1))
	forth, back := transferring(t, x, y, "192.168.2.2"), transferring(t, y, x, "192.168.1.2")
	forth.more(1 << 20)
	back.more(1 << 20)
	l.middle.SetMTU(1400)
	exact(t, l.a, 1400)
	exact(t, l.b, 1400)
	forth.stop()
	back.stop()
}

// blocksOfREADME returns the blocks of commands and files of a section.
func blocksOfREADME(t *testing.T, heading string) []string {
	t.Helper()
	blocks, err := document.Blocks("../README.md", heading)
	check(t, err)
	return blocks
}

// TestTwoUplinksByTheREADME adds the line that the README shows to a host with two
// uplinks, and looks as it says.
func TestTwoUplinksByTheREADME(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	blocks := blocksOfREADME(t, "## Two uplinks")
	if len(blocks) != 2 {
		t.Fatalf("%d blocks: %q", len(blocks), blocks)
	}
	w := newDualWAN(t, failoverTrip)
	check(t, w.a.Configure(w.uplinks(t), gateway.Peer{Gateway: w.b, Endpoint: w.there()}))
	check(t, w.b.Configure("", gateway.Peer{Gateway: w.a}))
	config, err := os.ReadFile(w.a.Config())
	check(t, err)
	line := strings.NewReplacer("eth0", w.wans[0].A.Name(), "wwan0", w.wans[1].A.Name()).Replace(blocks[0])
	config = regexp.MustCompile(`(?m)^uplinks = .*\n`).ReplaceAll(config, []byte(line))
	check(t, os.WriteFile(w.a.Config(), config, 0o600))
	up(t, w.b, w.a)
	look := strings.Fields(strings.TrimPrefix(strings.TrimSpace(blocks[1]), "sudo fathom "))
	for _, wan := range w.wans {
		pair := fmt.Sprintf(" %s %s > ", wan.A.Name(), wan.A.Addr4())
		for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
			text := run(t, w.A, fathom, append(look, "-c", w.a.Config())...)
			if strings.Contains(text, pair) && strings.Contains(text, "decider: this end") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("no pair %q in\n%s", pair, text)
			}
		}
	}
}

// TestEverythingThroughTheTunnelByTheREADME sends all of a host's traffic through another,
// which masquerades: hosts far away know no way into the tunnel.
func TestEverythingThroughTheTunnelByTheREADME(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	sh, ping := program(t, "sh", "dash"), program(t, "ping", "iputils-ping")
	program(t, "nft", "nftables")
	blocks := blocksOfREADME(t, "## Everything through the tunnel")
	if len(blocks) != 3 {
		t.Fatalf("%d blocks: %q", len(blocks), blocks)
	}
	allowed, masquerade, look := blocks[0], blocks[1], blocks[2]
	n := newInternet(t, overIPv4)
	config, err := os.ReadFile(n.a.Config())
	check(t, err)
	config = regexp.MustCompile(`(?m)^allowed_ips = .*\n`).ReplaceAll(config, []byte(allowed))
	check(t, os.WriteFile(n.a.Config(), config, 0o600))
	as := func(h *netlab.Host, commands string) string {
		return run(t, h, sh, "-ec", strings.NewReplacer("sudo ", "", "fathom status", fathom+" status -c "+n.a.Config()).Replace(commands))
	}
	as(n.far, "ip route del default; ip -6 route del default")
	uplink := regexp.MustCompile(` dev (\S+)`).FindStringSubmatch(as(n.B, "ip route get "+farAway4))[1]
	as(n.B, strings.ReplaceAll(masquerade, "oifname eth0", "oifname "+uplink))
	up(t, n.b, n.a)
	if text := as(n.A, look); !strings.Contains(text, "dev "+gateway.Device) {
		t.Errorf("the way is not through the tunnel:\n%s", text)
	}
	for _, address := range []string{farAway4, farAway6} {
		run(t, n.A, ping, "-c", "2", "-i", "0.1", "-W", "5", address)
	}
}
