//go:build linux

package gateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"fathom/crypto"
	"fathom/test/netlab"
	"fathom/tunnel/status"
)

// Device is the name of every gateway's TUN device.
const Device = "fathom0"

// Port is the UDP port that every gateway listens on.
const Port = 4500

// stopWithin is how long a tunnel may take to end after SIGTERM. It ends at once
// where the machine has nothing else to do; the bound is for one that hangs.
const stopWithin = time.Minute

// Gateway is a host with the command, a key and a configuration. Its methods
// are not safe for concurrent use, except Status, Await and Log.
type Gateway struct {
	Name   string
	Host   *netlab.Host
	Dir    string // with fathom.toml, private.key and the status socket
	Public crypto.PublicKey
	Inner  []netip.Prefix // its addresses inside the tunnel

	// Offload is tunnel.offload in the file that Configure writes. Empty: left out.
	Offload string
	// Listen is tunnel.listen in that file. Empty: all addresses.
	Listen string
	// ResolvConf is a file that the tunnel sees in the place of /etc/resolv.conf.
	// Empty: none.
	ResolvConf string

	binary  string
	process *netlab.Cmd
	log     log
	ended   chan struct{} // closed when process has ended
	exit    error         // how; set before that
}

// New gives a host a key in a folder of its own below dir.
func New(host *netlab.Host, binary, dir string, inner ...string) (*Gateway, error) {
	g := &Gateway{Name: host.Name(), Host: host, Dir: filepath.Join(dir, host.Name()), Inner: netlab.Prefixes(inner...), binary: binary}
	if err := os.Mkdir(g.Dir, 0o700); err != nil {
		return nil, err
	}
	return g, g.Rekey()
}

// Use has the gateway run another binary from its next start.
func (g *Gateway) Use(binary string) { g.binary = binary }

// Rekey gives the gateway a new static key. Its peers know the old one until
// they are configured again.
func (g *Gateway) Rekey() error {
	key, err := crypto.GeneratePrivateKey(rand.Reader)
	if err != nil {
		return err
	}
	if g.Public, err = key.Public(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.Dir, "private.key"), []byte(key.Encode()+"\n"), 0o600)
}

// Peer is a [[peer]] table of a gateway's configuration.
type Peer struct {
	*Gateway           // whose name, public key and inner addresses are in it
	Endpoint  string   // none: the peer must call
	Endpoints []string // more of them, behind that one
	Routed    []string // more allowed_ips
	Extra     string   // more lines
}

// Config returns the path of the configuration file.
func (g *Gateway) Config() string { return filepath.Join(g.Dir, "fathom.toml") }

// Socket returns the path of the status socket.
func (g *Gateway) Socket() string { return filepath.Join(g.Dir, "status.sock") }

// Configure writes the configuration file. extra are more lines of [tunnel].
func (g *Gateway) Configure(extra string, peers ...Peer) error {
	var b strings.Builder
	listen := cmp.Or(g.Listen, fmt.Sprintf(":%d", Port))
	fmt.Fprintf(&b, "[tunnel]\nname = %q\nprivate_key_file = \"private.key\"\nlisten = %q\naddress = %s\nstatus_socket = \"status.sock\"\n%s\n",
		Device, listen, list(g.Inner), extra)
	if g.Offload != "" {
		fmt.Fprintf(&b, "offload = %q\n", g.Offload)
	}
	for _, p := range peers {
		allowed := netlab.Prefixes(p.Routed...)
		for _, inner := range p.Inner {
			allowed = append(allowed, netip.PrefixFrom(inner.Addr(), inner.Addr().BitLen()))
		}
		fmt.Fprintf(&b, "\n[[peer]]\nname = %q\npublic_key = %q\nallowed_ips = %s\n", p.Name, p.Public, list(allowed))
		switch {
		case len(p.Endpoints) > 0:
			fmt.Fprintf(&b, "endpoint = [\"%s\"]\n", strings.Join(append([]string{p.Endpoint}, p.Endpoints...), `", "`))
		case p.Endpoint != "":
			fmt.Fprintf(&b, "endpoint = %q\n", p.Endpoint)
		}
		fmt.Fprintln(&b, p.Extra)
	}
	return os.WriteFile(g.Config(), []byte(b.String()), 0o600)
}

// list writes prefixes as a TOML array.
func list(prefixes []netip.Prefix) string {
	quoted := make([]string, len(prefixes))
	for i, p := range prefixes {
		quoted[i] = fmt.Sprintf("%q", p)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// Command prepares a run of the fathom command on the host.
func (g *Gateway) Command(args ...string) *netlab.Cmd { return g.Host.Command(g.binary, args...) }

// Start runs `fathom up`. It returns before the tunnel is up: see Await.
func (g *Gateway) Start() error {
	g.process = g.Command("up", "-c", g.Config())
	if g.ResolvConf != "" {
		g.process = g.Host.Command("unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`,
			g.ResolvConf, g.binary, "up", "-c", g.Config())
	}
	g.process.Stderr, g.process.Stdout = &g.log, &g.log
	if err := g.process.Start(); err != nil {
		return fmt.Errorf("start fathom on %s: %w", g.Name, err)
	}
	process, ended := g.process, make(chan struct{})
	g.ended = ended
	go func() {
		g.exit = process.Wait()
		close(ended)
	}()
	return nil
}

// Pid returns the process number of the tunnel.
func (g *Gateway) Pid() int { return g.process.Process.Pid }

// Stop ends the tunnel with SIGTERM and returns an error unless it ends soon
// and well. Without a running tunnel it does nothing.
func (g *Gateway) Stop() error { return g.StopBy(unix.SIGTERM) }

// StopBy is Stop with another signal.
func (g *Gateway) StopBy(signal os.Signal) error {
	if g.process == nil {
		return nil
	}
	select {
	case <-g.ended:
	default:
		if err := g.process.Process.Signal(signal); err != nil {
			return err
		}
	}
	select {
	case <-g.ended:
	case <-time.After(stopWithin):
		g.Kill()
		return fmt.Errorf("fathom on %s does not end within %v of %v\n%s", g.Name, stopWithin, signal, g.Log())
	}
	g.process = nil
	if g.exit != nil {
		return fmt.Errorf("fathom on %s did not end well: %w\n%s", g.Name, g.exit, g.Log())
	}
	return nil
}

// Kill ends the tunnel as a power cut does: it cannot say farewell.
func (g *Gateway) Kill() {
	if g.process != nil {
		g.process.Process.Kill()
		<-g.ended
		g.process = nil
	}
}

// Log returns what the tunnel has logged since the first Start.
func (g *Gateway) Log() string { return g.log.String() }

// Status asks the tunnel.
func (g *Gateway) Status(ctx context.Context) (*status.Status, error) {
	return status.Fetch(ctx, g.Socket())
}

// Established is a condition for Await: every peer is up.
func Established(s *status.Status) bool { return s.Up() }

// Await asks the tunnel until the condition holds. The error says what the
// tunnel showed last, and what it logged.
func (g *Gateway) Await(ctx context.Context, condition func(*status.Status) bool) (*status.Status, error) {
	const interval = 5 * time.Millisecond
	for {
		s, err := g.Status(ctx)
		if err == nil && condition(s) {
			return s, nil
		}
		select {
		case <-time.After(interval):
		case <-g.ended:
			return nil, fmt.Errorf("fathom on %s has ended: %v\n%s", g.Name, g.exit, g.Log())
		case <-ctx.Done():
			shown := "nothing"
			if s != nil {
				shown = fmt.Sprintf("%+v", s.Peers)
			}
			return nil, errors.Join(fmt.Errorf("fathom on %s does not get there: %w; its status is %s, its log:\n%s", g.Name, ctx.Err(), shown, g.Log()), err)
		}
	}
}
