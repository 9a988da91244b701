//go:build linux

package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fathom/test/netlab"
)

const nebulaName = "nebula"

// nebulaProgram is nebula, where its binary was given, with certificates for the hosts
// of every place. Without a binary it is the zero value.
type nebulaProgram struct {
	binary string
	pki    string // folder of ca.crt, and of a certificate and a key for each number
}

func (p *nebulaProgram) given() bool { return p.binary != "" }

// nebulaNetwork, nebulaPort and nebulaHosts are what the certificates are for: at most a
// and two spokes.
const nebulaNetwork, nebulaPort, nebulaHosts = 79, 4242, 3

// newNebulaProgram takes nebula's binary, and makes the certificates by nebula-cert, which
// its releases have beside it. Without a path it returns the zero value.
func newNebulaProgram(dir, path string) (p nebulaProgram, err error) {
	if path == "" {
		return p, nil
	}
	if path, err = filepath.Abs(path); err != nil {
		return p, err
	}
	cert := filepath.Join(filepath.Dir(path), "nebula-cert")
	for _, needed := range []string{path, cert} {
		if _, err := exec.LookPath(needed); err != nil {
			return p, fmt.Errorf("-nebula wants the binary of nebula, with nebula-cert beside it: %w", err)
		}
	}
	p = nebulaProgram{binary: path, pki: filepath.Join(dir, "pki")}
	if err := os.Mkdir(p.pki, 0o700); err != nil {
		return p, err
	}
	steps := [][]string{{"ca", "-name", "bench", "-out-crt", "ca.crt", "-out-key", "ca.key"}}
	for n := range nebulaHosts {
		name := nebulaHost(n)
		steps = append(steps, []string{"sign", "-name", name, "-networks", insideOf(nebulaNetwork, n+1) + "/24", "-out-crt", name + ".crt", "-out-key", name + ".key"})
	}
	for _, args := range steps {
		c := exec.Command(cert, args...)
		c.Dir = p.pki
		if out, err := c.CombinedOutput(); err != nil {
			return p, fmt.Errorf("nebula-cert %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return p, nil
}

// nebulaHost names the n-th host, a being the first, in its certificate.
func nebulaHost(n int) string { return string(rune('a' + n)) }

// version tells that of nebula's module, the Go that has built it, and what was built with
// other modules than its own choice. Without a binary it returns nothing.
func (p *nebulaProgram) version() string {
	if !p.given() {
		return ""
	}
	info, err := buildinfo.ReadFile(p.binary)
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprintf("%s (built by %s", info.Main.Version, info.GoVersion)
	var replaced []string
	for _, d := range info.Deps {
		if d.Replace != nil {
			replaced = append(replaced, d.Path)
		}
	}
	if len(replaced) > 0 {
		text += " with a replacement for " + strings.Join(replaced, ", ")
	}
	return text + ")"
}

// nebulaMaxMTU is the largest that nebula gives its device.
const nebulaMaxMTU = 8937

// nebula runs nebula on all hosts, with all its offloads, which are off by default, and
// without lighthouses: each host is told where the others are.
var nebula = contender{name: nebulaName, colour: "#8c6d31", start: func(at *place, p programs) (v *variant, err error) {
	v = newVariant(at, nebulaNetwork)
	v.innerMTU = min(at.mtuInside(rivalOverhead), nebulaMaxMTU)
	dir, err := os.MkdirTemp(p.dir, nebulaName)
	if err != nil {
		return nil, err
	}
	var logs []*bytes.Buffer
	var running processes
	v.stop = running.stop
	defer func() {
		if err != nil {
			running.stop()
			for _, log := range logs {
				err = fmt.Errorf("%w\n%s", err, log)
			}
		}
	}()
	spokes := at.spokes()
	var ofHub []string
	for n, s := range spokes {
		ofHub = append(ofHub, nebulaPeer(n+2, s.outer))
	}
	hosts, known := []*netlab.Host{at.a}, [][]string{ofHub}
	for _, s := range spokes {
		hosts, known = append(hosts, s.host), append(known, []string{nebulaPeer(1, s.outerA)})
	}
	for n, host := range hosts {
		config := filepath.Join(dir, nebulaHost(n)+".yml")
		if err := os.WriteFile(config, []byte(nebulaConfig(p.nebula.pki, n, v.innerMTU, known[n])), 0o600); err != nil {
			return nil, err
		}
		c := host.Command(p.nebula.binary, "-config", config)
		log := new(bytes.Buffer)
		logs = append(logs, log)
		c.Stdout, c.Stderr = log, log
		if err := running.start(c); err != nil {
			return nil, err
		}
	}
	v.pids = running.pids()
	for _, s := range spokes {
		if err := awaitHost(s.host, v.hub); err != nil {
			return nil, err
		}
	}
	time.Sleep(settle)
	return v, nil
}}

// nebulaPeer is an entry of static_host_map.
func nebulaPeer(n int, outer string) string {
	return fmt.Sprintf("%q: [%q]", insideOf(nebulaNetwork, n), endpoint(outer, nebulaPort))
}

// nebulaConfig is the configuration of the n-th host. Its socket buffers are those of
// nebula's own example.
func nebulaConfig(pki string, n, mtu int, peers []string) string {
	file := func(ending string) string { return filepath.Join(pki, nebulaHost(n)+ending) }
	return fmt.Sprintf(`pki: {ca: %q, cert: %q, key: %q}
static_host_map: {%s}
lighthouse: {am_lighthouse: false, hosts: []}
listen: {host: "::", port: %d, read_buffer: 3412512, write_buffer: 3412512, udp_offloads: true}
tun: {dev: %s, mtu: %d, use_offloads: true}
cipher: aes
local_api: {control: {enabled: false}}
logging: {level: warning, format: text}
firewall:
  outbound: [{port: any, proto: any, host: any}]
  inbound: [{port: any, proto: any, host: any}]
`, filepath.Join(pki, "ca.crt"), file(".crt"), file(".key"), strings.Join(peers, ", "), nebulaPort, "nbench"+nebulaHost(n), mtu)
}

// awaitHost returns once a host answers at an address inside: it refuses a connection to
// a port on which nobody listens.
func awaitHost(from *netlab.Host, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for {
		try, done := context.WithTimeout(ctx, time.Second)
		conn, err := from.DialContext(try, "tcp", endpoint(address, 1))
		done()
		if err == nil {
			return conn.Close()
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s does not reach %s: %w", from, address, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
