package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"fathom/test/gateway"
)

// contender is a way from host a to host b.
type contender struct {
	name  string
	start func(*place, programs) (*variant, error)
}

// variant is a contender that runs.
type variant struct {
	*place
	address string // of b, inside
	pids    []int  // of the daemons
	stop    func()
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
	// The overlay puts one file in the place of another for one build.
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return p, fmt.Errorf("find the module: %w", err)
	}
	module := strings.TrimSpace(string(root))
	overlay := filepath.Join(dir, "overlay.json")
	text := fmt.Sprintf(`{"Replace": {%q: %q}}`, filepath.Join(module, "esp/gcm.go"), filepath.Join(module, "test/bench/testdata/nullgcm.go"))
	if err := os.WriteFile(overlay, []byte(text), 0o600); err != nil {
		return p, err
	}
	if p.copyOnly, err = buildFathom(filepath.Join(dir, "copy-only"), []string{"-overlay", overlay}); err != nil {
		return p, err
	}
	p.wireguard = filepath.Join(dir, "wireguard-go")
	if out, err := exec.Command("go", "build", "-o", p.wireguard, "golang.zx2c4.com/wireguard").CombinedOutput(); err != nil {
		return p, fmt.Errorf("build wireguard-go: %w\n%s", err, out)
	}
	return p, nil
}

func buildFathom(dir string, flags []string) (string, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	return gateway.Build(dir, false, flags...)
}

var noTunnel = contender{"no tunnel", func(at *place, _ programs) (*variant, error) {
	return &variant{place: at, address: at.outerB, stop: func() {}}, nil
}}

// copyOnly is Fathom without a cipher.
var copyOnly = contender{"fathom, copy only", func(at *place, p programs) (*variant, error) {
	return startFathom(at, p.copyOnly, p.dir, `ciphers = ["aes-256-gcm"]`)
}}

// fathom is Fathom with one cipher, and more lines of [tunnel].
func fathom(cipher, extra string) contender {
	name := "fathom, " + cipher
	if extra != "" {
		name += ", " + strings.NewReplacer(` = `, " ", `"`, "").Replace(extra)
	}
	return contender{name, func(at *place, p programs) (*variant, error) {
		return startFathom(at, p.fathom, p.dir, fmt.Sprintf("ciphers = [%q]\n%s", cipher, extra))
	}}
}

// otherBuild is a build of Fathom that somebody wants to compare.
func otherBuild(name, binary string) contender {
	return contender{name, func(at *place, p programs) (*variant, error) {
		return startFathom(at, binary, p.dir, `ciphers = ["aes-256-gcm"]`)
	}}
}

// startFathom runs two gateways, and waits until they know their path.
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
	if err := a.Configure(extra, gateway.Peer{Gateway: b, Endpoint: fmt.Sprintf("%s:%d", at.outerB, gateway.Port)}); err != nil {
		return nil, err
	}
	if err := b.Configure(extra, gateway.Peer{Gateway: a, Endpoint: fmt.Sprintf("%s:%d", at.outerA, gateway.Port)}); err != nil {
		return nil, err
	}
	v = &variant{place: at, address: "10.77.0.2", stop: func() { a.Stop(); b.Stop() }}
	defer func() {
		if err != nil {
			v.stop()
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, g := range []*gateway.Gateway{a, b} {
		if err := g.Start(); err != nil {
			return nil, err
		}
		v.pids = append(v.pids, g.Pid())
	}
	for _, g := range []*gateway.Gateway{a, b} {
		if _, err := g.Await(ctx, gateway.Established); err != nil {
			return nil, err
		}
	}
	time.Sleep(settle)
	return v, nil
}

// settle is how long a tunnel that has just come up is left alone.
const settle = 300 * time.Millisecond
