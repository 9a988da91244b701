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

// wireguard runs wireguard-go on both hosts and configures it by its own
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
	var keys [2]*ecdh.PrivateKey
	for i := range keys {
		if keys[i], err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
			return nil, err
		}
	}
	for _, end := range []struct {
		host             *netlab.Host
		device           string
		key, other       *ecdh.PrivateKey
		endpoint         string
		address, allowed string
	}{
		{at.a, "wgbencha", keys[0], keys[1], at.outerB, "10.78.0.1/24", "10.78.0.2/32"},
		{at.b, "wgbenchb", keys[1], keys[0], at.outerA, "10.78.0.2/24", "10.78.0.1/32"},
	} {
		c := end.host.Command(p.wireguard, "-f", end.device)
		var log bytes.Buffer
		c.Stdout, c.Stderr = &log, &log
		if err := c.Start(); err != nil {
			return nil, err
		}
		running = append(running, c)
		v.pids = append(v.pids, c.Process.Pid)
		device := end.host.AwaitInterface(end.device, 5*time.Second)
		text := fmt.Sprintf("set=1\nprivate_key=%s\nlisten_port=51820\npublic_key=%s\nendpoint=%s:51820\nallowed_ip=%s\n\n",
			hex.EncodeToString(end.key.Bytes()), hex.EncodeToString(end.other.PublicKey().Bytes()), end.endpoint, end.allowed)
		if err := configureWireguard(end.device, text); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, &log)
		}
		device.SetMTU(wireguardMTU)
		device.AddAddress(netlab.Prefixes(end.address)...)
		device.Up()
	}
	time.Sleep(settle)
	return v, nil
}}

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
