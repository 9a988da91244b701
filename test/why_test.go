//go:build linux

package test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fathom/crypto"
	"fathom/test/gateway"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// reason awaits why a gateway's peer is not up, and returns the words for it.
func reason(t *testing.T, g *gateway.Gateway, want status.Reason) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	s, err := g.Await(ctx, func(s *status.Status) bool { return s.Peers[0].Attempt != nil && s.Peers[0].Attempt.Reason == want })
	if err != nil {
		t.Fatalf("it is not %s: %v", want, err)
	}
	return s.Peers[0].Attempt.Detail
}

// TestWhyAPeerIsNotUp makes every reason that `fathom status` knows.
func TestWhyAPeerIsNotUp(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	p := newPair(t, overIPv4, "")
	endpoint := p.endpoint(p.Right.B, overIPv4)
	keys := make([]string, 2)
	for i := range keys {
		file := filepath.Join(p.a.Dir, fmt.Sprintf("%d.psk", i))
		key, err := crypto.GeneratePresharedKey(rand.Reader)
		check(t, err)
		check(t, os.WriteFile(file, []byte(key.Encode()+"\n"), 0o600))
		keys[i] = fmt.Sprintf("preshared_key_file = %q", file)
	}
	configure := func(g, peer *gateway.Gateway, tunnel, endpoint, extra string) {
		t.Helper()
		check(t, g.Configure(tunnel, gateway.Peer{Gateway: peer, Endpoint: endpoint, Extra: extra}))
	}
	// Names are asked for where nobody answers, which is told at once.
	p.a.ResolvConf = filepath.Join(t.TempDir(), "resolv.conf")
	check(t, os.WriteFile(p.a.ResolvConf, []byte("nameserver 127.0.0.1\n"), 0o644))
	check(t, p.A.Command("ip", "route", "add", "unreachable", "198.51.100.1").Run())
	start := func(t *testing.T, g *gateway.Gateway) {
		t.Helper()
		check(t, g.Start())
		t.Cleanup(func() { check(t, g.Stop()) })
	}
	for _, test := range []struct {
		name           string
		a, b           [3]string // of [tunnel], the endpoint, of [[peer]]
		on             *gateway.Gateway
		reason         status.Reason
		words, without string // in text; b does not run
		finding        status.FindingCode
	}{
		{name: "nobody is there", a: [3]string{"", endpoint}, without: "b", on: p.a, reason: status.ReasonNoAnswer, words: "reason: no answer from " + endpoint, finding: status.FindingPortClosed},
		{name: "the name does not resolve", a: [3]string{"", "nobody.invalid:4500"}, without: "b", on: p.a, reason: status.ReasonNoName, words: "reason: nobody.invalid does not resolve: ", finding: status.FindingNoName},
		{name: "no endpoint", without: "b", on: p.a, reason: status.ReasonWaiting, words: "reason: no endpoint is configured: the peer has to call", finding: status.FindingWaiting},
		{name: "no route", a: [3]string{"", "198.51.100.1:4500"}, without: "b", on: p.a, reason: status.ReasonNoWay, words: "reason: cannot send to 198.51.100.1:4500: ", finding: status.FindingNoRoute},
		{name: "other preshared keys", a: [3]string{"", endpoint, keys[0]}, b: [3]string{"", "", keys[1]}, on: p.a, reason: status.ReasonPresharedKey,
			words: "reason: the preshared keys differ: the answer of " + endpoint + " is not authentic", finding: status.FindingPresharedKey},
		{name: "the same, seen by the end that is called", a: [3]string{"", endpoint, keys[0]}, b: [3]string{"", "", keys[1]}, on: p.b, reason: status.ReasonUnused,
			words: "reason: the peer calls and does not use the keys that it gets", finding: status.FindingUnused},
		{name: "no cipher in common", a: [3]string{`ciphers = ["aes-256-gcm"]`, endpoint}, b: [3]string{`ciphers = ["chacha20-poly1305"]`}, on: p.b, reason: status.ReasonNoCipher,
			words: "reason: no cipher in common: compare tunnel.ciphers of both ends", finding: status.FindingNoCipher},
	} {
		t.Run(test.name, func(t *testing.T) {
			configure(p.a, p.b, test.a[0], test.a[1], test.a[2])
			configure(p.b, p.a, test.b[0], test.b[1], test.b[2])
			start(t, p.a)
			if test.without == "" {
				start(t, p.b)
			}
			reason(t, test.on, test.reason)
			out, _ := test.on.Command("status", "-c", test.on.Config()).Output() // exit code 3
			if !strings.Contains(string(out), test.words) {
				t.Errorf("no %q in\n%s", test.words, out)
			}
			found(t, test.on, test.finding)
		})
	}

	t.Run("the peer has ended", func(t *testing.T) {
		configure(p.a, p.b, "", endpoint, "")
		configure(p.b, p.a, "", "", "")
		start(t, p.b)
		start(t, p.a)
		await(t, p.a, gateway.Established)
		if a := statusOf(t, p.a).Peers[0].Attempt; a != nil {
			t.Errorf("it is up, and there is an attempt: %+v", a)
		}
		check(t, p.b.Stop())
		if words := reason(t, p.a, status.ReasonClosed); words != "the peer has ended its tunnel" {
			t.Error(words)
		}
		// Unless the tunnel has called meanwhile, in vain.
		if d := doctor(t, p.a); !hasFinding(d, status.FindingClosed) && statusOf(t, p.a).Peers[0].Attempt.Reason == status.ReasonClosed {
			t.Errorf("%+v", d)
		}
	})

	t.Run("a stranger", func(t *testing.T) {
		check(t, p.a.Rekey())
		up := func(s *status.Status) bool { return s.Stranger != nil && s.Stranger.PublicKey == p.a.Public.String() }
		start(t, p.b)
		start(t, p.a)
		if s := await(t, p.b, up).Stranger; !strings.HasPrefix(s.From, p.Left.A.Addr4().String()) || s.Count == 0 {
			t.Errorf("%+v", s)
		}
		reason(t, p.a, status.ReasonNoAnswer)
		out, _ := p.b.Command("status", "-c", p.b.Config()).Output()
		if !strings.Contains(string(out), "stranger: public key "+p.a.Public.String()+" called from ") {
			t.Errorf("it shows\n%s", out)
		}
		names(t, p.b, status.FindingStranger) // and why the peer is not up, which changes: it is called where it was
	})
}
