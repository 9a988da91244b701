//go:build linux

package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"time"

	"fathom/test/netlab"
)

const wireguardModule = "golang.zx2c4.com/wireguard"

// wireguardMTU is what wg-quick gives the device on a path of 1500 bytes, with
// room for IPv6 outside.
const wireguardMTU = 1420

// wireguard runs wireguard-go on all hosts and configures it by its own
// socket.
var wireguard = contender{name: reference, colour: "#c0504d", start: func(at *place, p programs) (v *variant, err error) {
	v = &variant{place: at, address: "10.78.0.2", innerMTU: wireguardMTU, knows: always}
	var running []*netlab.Cmd
	stop := func() error {
		for _, c := range running {
			c.Process.Kill() // it has nothing to say when it ends
			c.Wait()
		}
		return nil
	}
	v.stop = stop
	defer func() {
		if err != nil {
			stop()
		}
	}()
	ends := []*wireguardEnd{
		{host: at.a, device: "wgbencha", address: "10.78.0.1"},
		{host: at.b, device: "wgbenchb", address: v.address, endpoint: at.outerB, hub: at.outerA},
	}
	if at.slow != nil {
		v.slow = "10.78.0.3"
		ends = append(ends, &wireguardEnd{host: at.slow.host, device: "wgbenchc", address: v.slow, endpoint: at.slow.outer, hub: at.slow.outerA})
	}
	for _, end := range ends {
		if end.key, err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
			return nil, err
		}
	}
	for i, end := range ends {
		c := end.host.Command(p.wireguard, "-f", end.device)
		var log bytes.Buffer
		c.Stdout, c.Stderr = &log, &log
		if err := c.Start(); err != nil {
			return nil, err
		}
		running = append(running, c)
		v.pids = append(v.pids, c.Process.Pid)
		device := end.host.AwaitInterface(end.device, 5*time.Second)
		text := fmt.Sprintf("set=1\nprivate_key=%s\nlisten_port=51820\n", hex.EncodeToString(end.key.Bytes()))
		if i == 0 {
			for _, spoke := range ends[1:] {
				text += spoke.peer(spoke.endpoint)
			}
		} else {
			text += ends[0].peer(end.hub)
		}
		if err := configureWireguard(end.device, text+"\n"); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, &log)
		}
		device.SetMTU(wireguardMTU)
		device.AddAddress(netlab.Prefixes(end.address + "/24")...)
		device.Up()
	}
	time.Sleep(settle)
	return v, nil
}}

// wireguardEnd is a host that runs wireguard-go: a itself, the hub, or one of its
// spokes.
type wireguardEnd struct {
	host            *netlab.Host
	device, address string
	endpoint, hub   string // of a spoke: where the hub finds it, and it the hub
	key             *ecdh.PrivateKey
}

// peer names the end to another, with where that finds it.
func (e *wireguardEnd) peer(endpoint string) string {
	return fmt.Sprintf("public_key=%s\nendpoint=%s:51820\nallowed_ip=%s/32\n", hex.EncodeToString(e.key.PublicKey().Bytes()), endpoint, e.address)
}

func configureWireguard(device, text string) error {
	path := "/var/run/wireguard/" + device + ".sock"
	var conn net.Conn
	var err error
	for range 100 {
		if conn, err = net.Dial("unix", path); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	answer := make([]byte, 256)
	n, err := conn.Read(answer)
	if err != nil {
		return err
	}
	if !bytes.Contains(answer[:n], []byte("errno=0")) {
		return fmt.Errorf("wireguard-go answers %q", answer[:n])
	}
	return nil
}
