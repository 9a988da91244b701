//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fathom/test/gateway"
	"fathom/tunnel/status"
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
	slow     string // of the slow spoke, inside
	innerMTU int
	pids     []int // of the daemons
	stop     func() error
	// knows tells whether both ends have found the path's MTU.
	knows func(mtu int) error
}

// reference is the contender that the others are compared with.
const reference = "wireguard-go"

// programs are the paths of what was built.
type programs struct {
	dir, fathom, copyOnly, wireguard string
}

func build(dir string) (p programs, err error) {
	p.dir = dir
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
	v := &variant{place: at, address: at.outerB, innerMTU: wideMTU, stop: func() error { return nil }, knows: always}
	if at.slow != nil {
		v.slow = at.slow.outer
	}
	return v, nil
}}

func always(int) error { return nil }

// copyOnly is Fathom without a cipher.
var copyOnly = contender{name: "fathom, copy only", colour: "#8fb04f", start: func(at *place, p programs) (*variant, error) {
	return startFathom(at, p.copyOnly, p.dir, `ciphers = ["aes-256-gcm"]`)
}}

var (
	aes         = fathom("aes-256-gcm", "", "#1f4e96")
	chacha      = fathom("chacha20-poly1305", "", "#3f8fd2")
	singleQueue = fathom("aes-256-gcm", "queues = 1", "#7a6fbe")
	offloadOff  = fathom("aes-256-gcm", `offload = "off"`, "#5fb3b3")
)

// fathom is Fathom with one cipher, and more lines of [tunnel].
func fathom(cipher, extra, colour string) contender {
	name := "fathom, " + cipher
	if extra != "" {
		name += ", " + strings.NewReplacer(` = `, " ", `"`, "").Replace(extra)
	}
	return contender{name: name, colour: colour, start: func(at *place, p programs) (*variant, error) {
		return startFathom(at, p.fathom, p.dir, fmt.Sprintf("ciphers = [%q]\n%s", cipher, extra))
	}}
}

// otherBuild is another build of Fathom, to be compared.
func otherBuild(name, binary string) contender {
	return contender{name: name, colour: "#d99a2b", start: func(at *place, p programs) (*variant, error) {
		return startFathom(at, binary, p.dir, `ciphers = ["aes-256-gcm"]`)
	}}
}

// startFathom runs the gateways of a place, and waits until they know all of their
// paths.
func startFathom(at *place, binary, dir, extra string) (v *variant, err error) {
	// A new folder, since a gateway has a new key whenever it is made.
	if dir, err = os.MkdirTemp(dir, "run"); err != nil {
		return nil, err
	}
	a, err := gateway.New(at.a, binary, dir, "10.77.0.1/24")
	if err != nil {
		return nil, err
	}
	b, err := gateway.New(at.b, binary, dir, "10.77.0.2/24")
	if err != nil {
		return nil, err
	}
	ends := []*gateway.Gateway{a, b}
	peers := []gateway.Peer{{Gateway: b, Endpoint: fmt.Sprintf("%s:%d", at.outerB, gateway.Port)}}
	v = &variant{place: at, address: "10.77.0.2"}
	if at.slow != nil {
		v.slow = "10.77.0.3"
		c, err := gateway.New(at.slow.host, binary, dir, v.slow+"/24")
		if err != nil {
			return nil, err
		}
		if err := c.Configure(extra, gateway.Peer{Gateway: a, Endpoint: fmt.Sprintf("%s:%d", at.slow.outerA, gateway.Port)}); err != nil {
			return nil, err
		}
		ends = append(ends, c)
		peers = append(peers, gateway.Peer{Gateway: c, Endpoint: fmt.Sprintf("%s:%d", at.slow.outer, gateway.Port)})
	}
	if err := a.Configure(extra, peers...); err != nil {
		return nil, err
	}
	if err := b.Configure(extra, gateway.Peer{Gateway: a, Endpoint: fmt.Sprintf("%s:%d", at.outerA, gateway.Port)}); err != nil {
		return nil, err
	}
	stop := func() (err error) {
		for _, g := range ends {
			err = errors.Join(err, g.Stop())
		}
		return err
	}
	v.stop = stop
	v.knows = func(mtu int) error {
		for _, g := range ends {
			s, err := g.Status(context.Background())
			if err != nil {
				return err
			}
			if got := s.Peers[0].PMTUD.PLPMTU; got != mtu {
				return fmt.Errorf("%s takes the path's MTU for %d bytes, not %d", g.Name, got, mtu)
			}
		}
		return nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, stop())
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for _, g := range ends {
		if err := g.Start(); err != nil {
			return nil, err
		}
		v.pids = append(v.pids, g.Pid())
	}
	for _, g := range ends {
		s, err := g.Await(ctx, func(s *status.Status) bool { return s.Up() && s.Peers[0].PMTUD.PLPMTU == wideMTU })
		if err != nil {
			return nil, err
		}
		v.innerMTU = s.Peers[0].PMTUD.InnerMTU
	}
	time.Sleep(settle)
	return v, nil
}

// startWithin is how long a tunnel may take to come up, and to find its path.
const startWithin = 15 * time.Second

// settle is how long a tunnel that has just come up is left alone.
const settle = 300 * time.Millisecond
