//go:build linux

package test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fathom/crypto"
	"fathom/test/gateway"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestPresharedKey comes up when both ends have the same one.
func TestPresharedKey(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	p := newPair(t, overIPv4, "")
	psk := newPresharedKey(t)
	configurePresharedKeys(t, p, psk, psk)
	up(t, p.a, p.b)
	pinger(t, p.A, innerB4)
}

// notAllUp is the exit code of `fathom status` when a peer is not up.
const notAllUp = 3

// TestKeysThatDoNotMatch must not come up, must say why on the side that can
// know, and must recover when the mistake is corrected.
func TestKeysThatDoNotMatch(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel() // it waits for most of the time
	psk, other := newPresharedKey(t), newPresharedKey(t)
	for _, test := range []struct {
		name    string
		mistake func(*testing.T, *pair)
		says    map[string]string // by host
	}{
		{"the preshared keys differ", func(t *testing.T, p *pair) { configurePresharedKeys(t, p, psk, other) },
			map[string]string{"a": "peer's answer is not authentic", "b": "peer's answer is not authentic"}},
		{"only one end has a preshared key", func(t *testing.T, p *pair) { configurePresharedKeys(t, p, psk, crypto.PresharedKey{}) },
			map[string]string{"a": "peer's answer is not authentic", "b": "peer's answer is not authentic"}},
		{"b has another private key than a believes", func(t *testing.T, p *pair) { check(t, p.b.Rekey()) },
			map[string]string{"a": "handshake from a stranger"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPair(t, overIPv4, "")
			test.mistake(t, p)
			check(t, p.a.Start())
			check(t, p.b.Start())
			deadline := time.Now().Add(within)
			for host, says := range test.says {
				g := map[string]*gateway.Gateway{"a": p.a, "b": p.b}[host]
				for !strings.Contains(g.Log(), says) {
					if time.Now().After(deadline) {
						t.Fatalf("%s does not say %q", host, says)
					}
					time.Sleep(20 * time.Millisecond)
				}
			}
			for _, g := range []*gateway.Gateway{p.a, p.b} {
				s := statusOf(t, g)
				if s.Up() || s.Peers[0].State != status.PeerConnecting || s.Peers[0].Handshakes != 0 {
					t.Errorf("%s: %+v", g.Name, s.Peers[0])
				}
				show := g.Command("status", "-c", g.Config())
				if err := show.Run(); show.ProcessState.ExitCode() != notAllUp {
					t.Errorf("%s: `fathom status`: %v, want exit code %d", g.Name, err, notAllUp)
				}
			}
			if out, err := p.A.Command(program(t, "ping", "iputils-ping"), "-c", "1", "-W", "1", innerB4).CombinedOutput(); err == nil {
				t.Errorf("a packet came through:\n%s", out)
			}

			check(t, p.a.Stop())
			check(t, p.b.Stop())
			p.configure(t, overIPv4, "")
			up(t, p.a, p.b)
			pinger(t, p.A, innerB4)
			for _, g := range []*gateway.Gateway{p.a, p.b} {
				for _, secret := range secretsOf(t, g) {
					if strings.Contains(g.Log(), secret) {
						t.Errorf("the log of %s contains a secret", g.Name)
					}
				}
			}
		})
	}
}

func newPresharedKey(t *testing.T) crypto.PresharedKey {
	t.Helper()
	psk, err := crypto.GeneratePresharedKey(rand.Reader)
	check(t, err)
	return psk
}

// configurePresharedKeys gives each end its preshared key, none if the key is zero.
func configurePresharedKeys(t *testing.T, p *pair, ofA, ofB crypto.PresharedKey) {
	t.Helper()
	for _, end := range []struct {
		g    *gateway.Gateway
		peer gateway.Peer
		psk  crypto.PresharedKey
	}{
		{p.a, gateway.Peer{Gateway: p.b, Endpoint: p.endpoint(p.Right.B, overIPv4)}, ofA},
		{p.b, gateway.Peer{Gateway: p.a, Endpoint: p.endpoint(p.Left.A, overIPv4)}, ofB},
	} {
		if end.psk != (crypto.PresharedKey{}) {
			check(t, os.WriteFile(filepath.Join(end.g.Dir, "peer.psk"), []byte(end.psk.Encode()+"\n"), 0o600))
			end.peer.Extra = `preshared_key_file = "peer.psk"`
		}
		check(t, end.g.Configure("", end.peer))
	}
}

// secretsOf returns the contents of a gateway's key files.
func secretsOf(t *testing.T, g *gateway.Gateway) (secrets []string) {
	t.Helper()
	for _, file := range []string{"private.key", "peer.psk"} {
		text, err := os.ReadFile(filepath.Join(g.Dir, file))
		if err == nil {
			secrets = append(secrets, strings.TrimSpace(string(text)))
		}
	}
	if len(secrets) == 0 {
		t.Fatal("no key files")
	}
	return secrets
}
