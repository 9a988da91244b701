//go:build linux

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fathom/test/gateway"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestAnotherVersionOfTheWire upgrades two ends, one after the other, to a version with
// other handshake messages, and puts both back. While they differ there is no tunnel, and
// both ends say why; nothing has to be changed by hand.
func TestAnotherVersionOfTheWire(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	p := newPair(t, overIPv4, "")
	next := ofTheNextVersion(t)
	up(t, p.a, p.b)

	differ := func() {
		t.Helper()
		for _, g := range []*gateway.Gateway{p.a, p.b} {
			await(t, g, func(s *status.Status) bool { return s.Dropped["handshake_version"] > 0 && !gateway.Established(s) })
		}
	}
	agree := func() {
		t.Helper()
		for _, g := range []*gateway.Gateway{p.a, p.b} {
			await(t, g, gateway.Established)
		}
		pinger(t, p.A, innerB4)
	}
	for _, step := range []struct {
		g      *gateway.Gateway
		binary string
		after  func()
	}{{p.a, next, differ}, {p.b, next, agree}, {p.b, fathom, differ}, {p.a, fathom, agree}} {
		check(t, step.g.Stop())
		step.g.Use(step.binary)
		check(t, step.g.Start())
		step.after()
	}
}

// ofTheNextVersion builds the command with another version in its handshake messages, and
// returns its path.
func ofTheNextVersion(t *testing.T) string {
	t.Helper()
	const file, version = "../crypto/message.go", "version    = 1\n"
	text, err := os.ReadFile(file)
	check(t, err)
	if strings.Count(string(text), version) != 1 {
		t.Fatalf("%s does not say %q once", file, version)
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "message.go"), filepath.Join(dir, "overlay.json")
	check(t, os.WriteFile(changed, []byte(strings.Replace(string(text), version, "version    = 2\n", 1)), 0o600))
	path, err := filepath.Abs(file)
	check(t, err)
	check(t, os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace": {%q: %q}}`, path, changed), 0o600))
	binary, err := gateway.Build(dir, false, "-overlay", overlay)
	check(t, err)
	return binary
}
