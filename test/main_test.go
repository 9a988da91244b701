//go:build linux

package test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// fathom is the path of the command, which is built once for all tests.
var fathom string

func TestMain(m *testing.M) { os.Exit(netlab.Main(built{m})) }

// built runs the tests with the command built.
type built struct{ *testing.M }

func (b built) Run() int {
	dir, err := os.MkdirTemp("", "fathom-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// The race detector otherwise makes every exit wait for a second.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	if fathom, err = gateway.Build(dir, tier.Race); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return b.M.Run()
}

// superlinks: the links between gateways carry superpackets, which a router
// drops whole; otherwise they carry packets as a wire does.
var superlinks = tier.OverSuperlinks()

// linkConfig is the kind of the links.
func linkConfig(addrA, addrB []netip.Prefix) netlab.LinkConfig {
	return netlab.LinkConfig{AddrA: addrA, AddrB: addrB, Offload: superlinks}
}

// within is how long a test waits for what should take a moment. It only keeps
// a failing test from hanging.
const within = 2 * time.Minute

// check ends the test on an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newGateway makes a gateway that is stopped, in good order, when the test
// ends.
func newGateway(t testing.TB, host *netlab.Host, inner ...string) *gateway.Gateway {
	t.Helper()
	// Not t.TempDir, whose path may be too long for a Unix socket.
	dir, err := os.MkdirTemp("", "fathom")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	g, err := gateway.New(host, fathom, dir, inner...)
	check(t, err)
	if tier.OneByOne() {
		g.Offload = "off"
	}
	t.Cleanup(func() {
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", g.Name, g.Log())
		}
	})
	return g
}

// up starts the gateways and waits until all of their peers are established.
func up(t testing.TB, gateways ...*gateway.Gateway) {
	t.Helper()
	for _, g := range gateways {
		check(t, g.Start())
	}
	for _, g := range gateways {
		await(t, g, gateway.Established)
	}
}

// await waits until a condition of the gateway's status holds.
func await(t testing.TB, g *gateway.Gateway, condition func(*status.Status) bool) *status.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	s, err := g.Await(ctx, condition)
	check(t, err)
	return s
}

// statusOf asks a gateway for its status.
func statusOf(t testing.TB, g *gateway.Gateway) *status.Status {
	t.Helper()
	return await(t, g, func(*status.Status) bool { return true })
}

// pair is the standard topology with a gateway on hosts A and B, configured
// for each other.
type pair struct {
	*netlab.Routed
	a, b *gateway.Gateway
}

// outer is the address family between the gateways.
type outer bool

const (
	overIPv4 outer = false
	overIPv6 outer = true
)

// newPair configures both ends; extra are more lines of both [tunnel] tables.
func newPair(t testing.TB, family outer, extra string) *pair {
	t.Helper()
	p := &pair{Routed: labtest.New(t).RoutedOver(linkConfig(nil, nil))}
	p.a = newGateway(t, p.A, "10.77.0.1/24", "fd77::1/64")
	p.b = newGateway(t, p.B, "10.77.0.2/24", "fd77::2/64")
	p.configure(t, family, extra)
	return p
}

func (p *pair) configure(t testing.TB, family outer, extra string) {
	t.Helper()
	check(t, p.a.Configure(extra, gateway.Peer{Gateway: p.b, Endpoint: p.endpoint(p.Right.B, family)}))
	check(t, p.b.Configure(extra, gateway.Peer{Gateway: p.a, Endpoint: p.endpoint(p.Left.A, family)}))
}

func (p *pair) endpoint(i *netlab.Interface, family outer) string {
	if family == overIPv6 {
		return fmt.Sprintf("[%s]:%d", i.Addr6(), gateway.Port)
	}
	return fmt.Sprintf("%s:%d", i.Addr4(), gateway.Port)
}

// inner addresses of a pair.
const (
	innerA4, innerB4 = "10.77.0.1", "10.77.0.2"
	innerA6, innerB6 = "fd77::1", "fd77::2"
)

// program finds a program that a test needs.
func program(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		labtest.Missing(t, fmt.Errorf("%w (apt-get install %s)", err, debianPackage))
	}
	return path
}

// run runs a program on a host and returns its standard output.
func run(t testing.TB, host *netlab.Host, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := host.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("on %s, %s %s: %v\n%s", host, name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
