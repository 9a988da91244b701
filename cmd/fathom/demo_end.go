//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"fathom/conf"
	"fathom/crypto"
	"fathom/test/netlab"
	"fathom/tunnel/status"
)

// end is one of the two hosts with a tunnel: its files and its process.
type end struct {
	name   string
	host   *netlab.Host
	inner  netip.Addr // the host's address inside the tunnel
	config string     // path of the configuration
	socket string     // path of the status socket

	process  *netlab.Cmd
	log      tail
	stopping atomic.Bool   // set before it is told to end
	ended    chan struct{} // closed when the process has ended
	exit     error         // of the process; set before ended is closed
}

// statusSocket is the name of each end's status socket.
const statusSocket = "status.sock"

// configureEnds makes a directory like /etc/fathom for each end: a new key, and
// a configuration whose peer is the other end. page has each serve its page.
func configureEnds(dir string, path *labPath, discovery, page bool) (a, b *end, err error) {
	var public [2]crypto.PublicKey
	ends := [2]*end{
		{name: "a", host: path.a, inner: innerA.Addr()},
		{name: "b", host: path.b, inner: innerB.Addr()},
	}
	for i, e := range ends {
		place := filepath.Join(dir, e.name)
		if err := os.Mkdir(place, 0o700); err != nil {
			return nil, nil, err
		}
		e.config, e.socket = filepath.Join(place, filepath.Base(defaultConfig)), filepath.Join(place, statusSocket)
		key, err := crypto.GeneratePrivateKey(rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		if public[i], err = key.Public(); err != nil {
			return nil, nil, err
		}
		if err := writeNew(filepath.Join(place, privateKeyFile), []byte(key.Encode()+"\n"), 0o600); err != nil {
			return nil, nil, err
		}
	}
	var tunnelExtra, peerExtra string
	if !discovery {
		tunnelExtra, peerExtra = "oversize = \"drop\"\n", "probing = \"off\"\n"
	}
	if page {
		tunnelExtra += fmt.Sprintf("metrics = %q\n", pageAt)
	}
	outer := [2]netip.Addr{path.left.A.Addr4(), path.right.B.Addr4()}
	inner := [2]netip.Prefix{innerA, innerB}
	for i, e := range ends {
		other := 1 - i
		text := fmt.Sprintf(`[tunnel]
name = "fathom0"
private_key_file = %q
address = [%q]
status_socket = %q
%s
[[peer]]
name = %q
public_key = %q
endpoint = %q
allowed_ips = [%q]
%s`, privateKeyFile, inner[i], statusSocket, tunnelExtra, ends[other].name, public[other],
			netip.AddrPortFrom(outer[other], conf.DefaultPort), netip.PrefixFrom(inner[other].Addr(), 32), peerExtra)
		if err := writeNew(e.config, []byte(text), 0o600); err != nil {
			return nil, nil, err
		}
	}
	return ends[0], ends[1], nil
}

// start runs `fathom up` on the host. It calls failed if the tunnel ends before
// stop is called.
func (e *end) start(log io.Writer, failed context.CancelCauseFunc) error {
	e.process = e.host.Command("/proc/self/exe", "up", "-c", e.config)
	e.process.Args[0] = os.Args[0] // as ps shows it
	// Ctrl-C on a terminal reaches the demo alone, which then stops the tunnels.
	e.process.SysProcAttr.Setpgid = true
	e.log.also = log
	e.process.Stderr, e.process.Stdout = &e.log, &e.log
	e.ended = make(chan struct{})
	if err := e.process.Start(); err != nil {
		return fmt.Errorf("start the tunnel on host %s: %w", e.name, err)
	}
	go func() {
		e.exit = e.process.Wait()
		close(e.ended)
		if !e.stopping.Load() {
			failed(fmt.Errorf("the tunnel on host %s has ended too early: %s", e.name, e.process.ProcessState))
		}
	}()
	return nil
}

// stop ends the tunnel with SIGTERM, as an operator does, and waits for it.
func (e *end) stop() error {
	e.stopping.Store(true)
	e.process.Process.Signal(unix.SIGTERM)
	select {
	case <-e.ended:
	case <-time.After(stopWithin):
		return fmt.Errorf("the tunnel on host %s does not end within %v of SIGTERM", e.name, stopWithin)
	}
	if e.exit != nil {
		return fmt.Errorf("the tunnel on host %s failed: %w", e.name, e.exit)
	}
	return nil
}

// kill ends the tunnel if it still runs. The tunnel first gets the time to undo
// its changes to the host.
func (e *end) kill() {
	if e.stop() != nil {
		e.process.Process.Kill()
		<-e.ended
	}
}

// peer asks the tunnel for the state of its one peer.
func (e *end) peer(ctx context.Context) (*status.Peer, error) {
	s, err := status.Fetch(ctx, e.socket)
	if err != nil {
		return nil, err
	}
	if len(s.Peers) != 1 {
		return nil, fmt.Errorf("the tunnel on host %s has %s instead of one", e.name, plural(len(s.Peers), "peer"))
	}
	return &s.Peers[0], nil
}

// awaitEstablished waits until the tunnel has a peer that is up and has measured
// the path MTU to it.
func (e *end) awaitEstablished(ctx context.Context) (*status.Peer, error) {
	const interval = 20 * time.Millisecond
	limit := time.After(establishWithin)
	for {
		peer, err := e.peer(ctx)
		if err == nil && peer.State == status.PeerEstablished && (peer.PMTUD.State == "search_complete" || peer.PMTUD.Source != "discovery") {
			return peer, nil
		}
		if err == nil {
			err = fmt.Errorf("its peer is %s, its path MTU discovery is in state %s", peer.State, peer.PMTUD.State)
		}
		select {
		case <-time.After(interval):
		case <-limit:
			return nil, fmt.Errorf("the tunnel on host %s is not established within %v: %w", e.name, establishWithin, err)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
