//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"fathom/test/gateway"
	"fathom/tunnel/status"
)

// copyOnly is Fathom without a cipher.
var copyOnly = contender{name: "fathom, copy only", colour: "#8fb04f", start: func(at *place, p programs) (*variant, error) {
	v, err := startFathom(at, p.copyOnly, p.dir, `ciphers = ["aes-256-gcm"]`)
	if err == nil && v.cipher != nullCipher {
		err = errors.Join(fmt.Errorf("it has the cipher %s after all", v.cipher), v.stop())
	}
	return v, err
}}

// nullCipher is how `fathom status` names what nullgcm.go puts in the place of AES-GCM.
const nullCipher = "none"

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
	const network = 77
	v = newVariant(at, network)
	hub, err := gateway.New(at.a, binary, dir, v.hub+"/24")
	if err != nil {
		return nil, err
	}
	ends := []*gateway.Gateway{hub}
	var peers []gateway.Peer
	for i, s := range at.spokes() {
		g, err := gateway.New(s.host, binary, dir, insideOf(network, i+2)+"/24")
		if err != nil {
			return nil, err
		}
		if err := g.Configure(extra, gateway.Peer{Gateway: hub, Endpoint: endpoint(s.outerA, gateway.Port)}); err != nil {
			return nil, err
		}
		ends = append(ends, g)
		peers = append(peers, gateway.Peer{Gateway: g, Endpoint: endpoint(s.outer, gateway.Port)})
	}
	if err := hub.Configure(extra, peers...); err != nil {
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
		s, err := g.Await(ctx, func(s *status.Status) bool { return s.Up() && s.Peers[0].PMTUD.PLPMTU == at.mtu })
		if err != nil {
			return nil, err
		}
		v.innerMTU, v.cipher = s.Peers[0].PMTUD.InnerMTU, s.AESGCM
	}
	time.Sleep(settle)
	return v, nil
}

// endpoint joins an address of either family with a port.
func endpoint(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
