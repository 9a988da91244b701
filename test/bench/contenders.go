//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fathom/test/gateway"
)

// contender is a way from host a to host b.
type contender struct {
	name   string
	colour string // in the picture
	start  func(*place, programs) (*variant, error)
	only   []*load // what it takes part in; none: everything of its scene
}

// taking returns the contender for a few loads.
func (c contender) taking(only ...*load) contender {
	c.only = only
	return c
}

func (c *contender) takes(l *load) bool { return len(c.only) == 0 || slices.Contains(c.only, l) }

// variant is a contender that runs.
type variant struct {
	*place
	address  string // of b, inside
	second   string // of the second spoke, inside
	hub      string // of a, inside
	innerMTU int
	cipher   string // implementation of AES-GCM, if the daemon names it
	pids     []int  // of the daemons
	stop     func() error
	// knows tells whether both ends have found the path's MTU.
	knows func(mtu int) error
}

// insideOf returns the address inside of the n-th host, a being the first, in a
// contender's network.
func insideOf(network, n int) string { return fmt.Sprintf("10.%d.0.%d", network, n) }

// newVariant returns one with addresses in a network, which must still be started.
func newVariant(at *place, network int) *variant {
	v := &variant{place: at, hub: insideOf(network, 1), address: insideOf(network, 2), knows: always}
	if at.second != nil {
		v.second = insideOf(network, 3)
	}
	return v
}

// reference is the contender that the others are compared with.
const reference = "wireguard-go"

// programs are the paths of what was built, and of what was given.
type programs struct {
	dir, fathom, copyOnly, wireguard string
	nebula                           nebulaProgram
}

// has reports whether a contender can start.
func (p *programs) has(c *contender) bool { return c.name != nebulaName || p.nebula.given() }

func build(dir, nebulaPath string) (p programs, err error) {
	p.dir = dir
	if p.nebula, err = newNebulaProgram(dir, nebulaPath); err != nil {
		return p, err
	}
	if p.fathom, err = buildFathom(filepath.Join(dir, "fathom"), nil); err != nil {
		return p, err
	}
	overlay, err := writeOverlay(dir)
	if err != nil {
		return p, err
	}
	if p.copyOnly, err = buildFathom(filepath.Join(dir, "copy-only"), []string{"-overlay", overlay}); err != nil {
		return p, err
	}
	p.wireguard = filepath.Join(dir, "wireguard-go")
	if out, err := exec.Command("go", "build", "-o", p.wireguard, wireguardModule).CombinedOutput(); err != nil {
		return p, fmt.Errorf("build wireguard-go: %w\n%s", err, out)
	}
	return p, nil
}

// writeOverlay puts nullgcm.go in the place of AES-GCM, for builds that are
// given the file whose path it returns.
func writeOverlay(dir string) (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	module := strings.TrimSpace(string(root))
	replaced, null := filepath.Join(module, "esp/gcm/implementation.go"), filepath.Join(module, "test/bench/testdata/nullgcm.go")
	// The go command takes a file that is not there for a new one.
	if _, err := os.Stat(replaced); err != nil {
		return "", fmt.Errorf("what the null cipher replaces: %w", err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace": {%q: %q}}`, replaced, null), 0o600)
}

func buildFathom(dir string, flags []string) (string, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	return gateway.Build(dir, false, flags...)
}

var noTunnel = contender{name: "no tunnel", colour: "#a6a6a6", start: func(at *place, _ programs) (*variant, error) {
	v := &variant{place: at, hub: at.outerA, address: at.outerB, innerMTU: at.mtu, stop: func() error { return nil }, knows: always}
	if at.second != nil {
		v.second = at.second.outer
	}
	return v, nil
}}

func always(int) error { return nil }

// startWithin is how long a tunnel may take to come up, and to find its path.
const startWithin = 15 * time.Second

// settle is how long a tunnel that has just come up is left alone.
const settle = 300 * time.Millisecond
