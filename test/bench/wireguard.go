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

// wireguard runs wireguard-go on all hosts and configures it by its own
// socket.
var wireguard = contender{name: reference, colour: "#c0504d", start: func(at *place, p programs) (v *variant, err error) {
	const network = 78
	v = newVariant(at, network)
	v.innerMTU = at.mtuInside(rivalOverhead)
	var running processes
	v.stop = running.stop
	defer func() {
		if err != nil {
			running.stop()
		}
	}()
	ends := []*wireguardEnd{{host: at.a}}
	for _, s := range at.spokes() {
		ends = append(ends, &wireguardEnd{host: s.host, endpoint: s.outer, hub: s.outerA})
	}
	for i, end := range ends {
		end.device, end.address = fmt.Sprintf("wgbench%c", 'a'+i), insideOf(network, i+1)
		if end.key, err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
			return nil, err
		}
	}
	for i, end := range ends {
		c := end.host.Command(p.wireguard, "-f", end.device)
		var log bytes.Buffer
		c.Stdout, c.Stderr = &log, &log
		if err := running.start(c); err != nil {
			return nil, err
		}
		device := end.host.AwaitInterface(end.device, startWithin)
		text := fmt.Sprintf("set=1\nprivate_key=%s\nlisten_port=%d\n", hex.EncodeToString(end.key.Bytes()), wireguardPort)
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
		device.SetMTU(v.innerMTU)
		device.AddAddress(netlab.Prefixes(end.address + "/24")...)
		device.Up()
	}
	v.pids = running.pids()
	time.Sleep(settle)
	return v, nil
}}

const wireguardPort = 51820

// wireguardEnd is a host that runs wireguard-go: a itself, the hub, or one of its
// spokes.
type wireguardEnd struct {
	host            *netlab.Host
	device, address string
	endpoint, hub   string // of a spoke: where the hub finds it, and it the hub
	key             *ecdh.PrivateKey
}

// peer names the end to another, with where that finds it.
func (e *wireguardEnd) peer(outer string) string {
	return fmt.Sprintf("public_key=%s\nendpoint=%s\nallowed_ip=%s/32\n", hex.EncodeToString(e.key.PublicKey().Bytes()), endpoint(outer, wireguardPort), e.address)
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
