//go:build linux

package test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// More exit codes of the command.
const (
	needsRestart = 1
	badConfig    = 78
)

// spokesAround is a hub with spokes, each by a link of its own.
//
//	hub 10.77.0.1 ── north 10.77.0.2, east 10.77.0.3, south 10.77.0.4, west 10.77.0.5
type spokesAround struct {
	t      *testing.T
	hub    *gateway.Gateway
	spokes map[string]*gateway.Gateway
	peers  map[string]gateway.Peer // as the hub has them
}

func newSpokes(t *testing.T) *spokesAround {
	lab := labtest.New(t)
	hub := lab.Host("hub")
	s := &spokesAround{t: t, hub: newGateway(t, hub, "10.77.0.1/24"), spokes: make(map[string]*gateway.Gateway), peers: make(map[string]gateway.Peer)}
	for i, name := range []string{"north", "east", "south", "west"} {
		host := lab.Host(name)
		link := lab.Connect(hub, host, linkConfig(netlab.Prefixes(fmt.Sprintf("10.%d.0.1/24", i+2)), netlab.Prefixes(fmt.Sprintf("10.%d.0.2/24", i+2))))
		g := newGateway(t, host, fmt.Sprintf("10.77.0.%d/24", i+2))
		check(t, g.Configure("rekey_after = \"1h\"", gateway.Peer{Gateway: s.hub, Endpoint: fmt.Sprintf("%s:%d", link.A.Addr4(), gateway.Port)}))
		s.spokes[name], s.peers[name] = g, gateway.Peer{Gateway: g, Endpoint: fmt.Sprintf("%s:%d", link.B.Addr4(), gateway.Port)}
	}
	return s
}

// configure gives the hub some of the peers, and more lines of [tunnel].
func (s *spokesAround) configure(extra string, names ...string) {
	s.t.Helper()
	var peers []gateway.Peer
	for _, name := range names {
		peers = append(peers, s.peers[name])
	}
	check(s.t, s.hub.Configure("rekey_after = \"1h\"\n"+extra, peers...))
}

// runs runs a command of a gateway, which must exit with a code, and returns what it prints.
func runs(t *testing.T, g *gateway.Gateway, code int, args ...string) string {
	t.Helper()
	out, err := g.Command(args...).CombinedOutput()
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		check(t, err)
	}
	if got != code {
		t.Fatalf("fathom %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	return string(out)
}

// reload runs the command on the hub, by its socket: so the tunnel judges the file.
func (s *spokesAround) reload(code int) string {
	s.t.Helper()
	return runs(s.t, s.hub, code, "reload", "--socket", s.hub.Socket())
}

// edit replaces text in a file of a gateway.
func edit(t *testing.T, file, old, new string) {
	t.Helper()
	text, err := os.ReadFile(file)
	check(t, err)
	if !strings.Contains(string(text), old) {
		t.Fatalf("%q is not in %s:\n%s", old, file, text)
	}
	check(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), old, new)), 0o600))
}

// pairOf are the SPIs of a peer that is up.
func pairOf(s *status.Status, name string) [2]uint32 {
	for _, p := range s.Peers {
		if p.Name == name && p.State == status.PeerEstablished {
			return [2]uint32{p.SendSPI, p.ReceiveSPI}
		}
	}
	return [2]uint32{}
}

func isUp(name string) func(*status.Status) bool {
	return func(s *status.Status) bool { return pairOf(s, name) != [2]uint32{} }
}

// TestReload reloads the configuration of a hub with three peers again and again, well
// and badly, under transfers of two of them: these lose no packet, and keep their SAs.
func TestReload(t *testing.T) {
	tier.Select(t)
	s := newSpokes(t)
	s.configure("", "north", "east", "south")
	check(t, s.hub.Start())
	for _, g := range s.spokes {
		check(t, g.Start())
	}
	before := await(t, s.hub, gateway.Established)
	hub, north, east := s.hub.Host, s.spokes["north"].Host, s.spokes["east"].Host
	flows := []*flow{
		startStream(t, north, hub, "10.77.0.1", 1000, time.Millisecond),
		startStream(t, hub, north, "10.77.0.2", 1000, time.Millisecond),
		startStream(t, east, hub, "10.77.0.1", 200, time.Millisecond),
	}
	// No more is under way than the hub's device has room for, beside the flows.
	client, server := connectWithin(t, hub, east, "10.77.0.3", 128<<10)
	data := transferOver(t, client, server)
	// goOn waits until everything has gone on after what was done.
	goOn := func() {
		t.Helper()
		data.more(1 << 20)
		for _, f := range flows {
			f.reach(f.sent.Load() + 50)
		}
	}
	kept := func(when string) {
		t.Helper()
		goOn()
		now := statusOf(t, s.hub)
		for _, name := range []string{"north", "east"} {
			if pairOf(now, name) != pairOf(before, name) {
				t.Errorf("%s: %s has other SAs", when, name)
			}
		}
	}
	routes := func() string { return run(t, hub, "ip", "route", "show", "table", "all") + run(t, hub, "ip", "rule") }
	goOn()

	t.Run("a peer goes, another comes", func(t *testing.T) {
		s.configure("", "north", "west", "east")
		if out := s.reload(0); out != "peer south: removed\npeer west: added\n" {
			t.Errorf("told:\n%s", out)
		}
		await(t, s.hub, isUp("west"))
		pinger(t, hub, "10.77.0.5")
		pinger(t, s.spokes["west"].Host, "10.77.0.1")
		kept("after that")
		if now := statusOf(t, s.hub); len(now.Peers) != 3 || now.Peers[1].Name != "west" {
			t.Errorf("peers %+v", now.Peers)
		}
		await(t, s.spokes["south"], func(s *status.Status) bool { return !s.Up() })
		r := routes()
		if strings.Contains(r, "10.77.0.4") {
			t.Errorf("the peer that is gone has routes:\n%s", r)
		}
		if n := strings.Count(r, "unreachable 10.77.0.5"); n != 2 || !strings.Contains(r, "10.77.0.5 dev "+gateway.Device) {
			t.Errorf("the peer that has come has %d guards, or no route:\n%s", n, r)
		}
	})
	t.Run("mistakes change nothing", func(t *testing.T) {
		was := routes()
		s.configure("log_level = \"loud\"", "north", "south")
		edit(t, s.hub.Config(), `"10.77.0.4/32"`, `"10.77.0.4/33"`)
		out := s.reload(badConfig)
		for _, mistake := range []string{`log_level: "loud"`, `10.77.0.4/33`} {
			line := slices.IndexFunc(strings.Split(out, "\n"), func(l string) bool {
				return strings.HasPrefix(l, s.hub.Config()+":") && strings.Contains(l, mistake)
			})
			if line < 0 {
				t.Errorf("%s is not told:\n%s", mistake, out)
			}
			eventually(t, mistake+" is logged", func() bool { return strings.Contains(s.hub.Log(), strings.ReplaceAll(mistake, `"`, `\"`)) })
		}
		kept("after a faulty file")
		if now := statusOf(t, s.hub); len(now.Peers) != 3 || routes() != was {
			t.Errorf("something has changed: %+v", now.Peers)
		}
		check(t, os.Remove(s.hub.Config()))
		s.reload(badConfig)
		kept("without a file")
	})
	t.Run("by SIGHUP", func(t *testing.T) {
		s.configure("log_level = \"debug\"", "north", "west", "east", "south")
		check(t, unix.Kill(s.hub.Pid(), unix.SIGHUP))
		await(t, s.hub, isUp("south"))
		kept("after SIGHUP")
		eventually(t, "it is logged, at the new level", func() bool {
			log := s.hub.Log()
			return strings.Contains(log, "configuration reloaded") && strings.Contains(log, "level=DEBUG")
		})
		s.configure("", "north", "west", "east", "south")
		s.reload(0)
	})
	t.Run("what needs a restart", func(t *testing.T) {
		s.configure("dscp = \"clear\"", "north", "west", "east")
		if out := s.reload(0); out != "peer south: removed\nneeds a restart: dscp\n" {
			t.Errorf("told:\n%s", out)
		}
		s.configure("fwmark = 77", "north")
		if out := s.reload(needsRestart); !strings.Contains(out, "fwmark") {
			t.Errorf("told:\n%s", out)
		}
		kept("after that")
		if now := statusOf(t, s.hub); len(now.Peers) != 3 {
			t.Errorf("peers %+v", now.Peers)
		}
		s.configure("", "north", "west", "east", "south")
		s.reload(0)
	})
	t.Run("a prefix goes to another peer", func(t *testing.T) {
		var changed []string
		for _, to := range []string{"west", "south"} {
			p := s.peers[to]
			p.Routed = []string{"10.78.0.0/16"}
			s.peers[to] = p
			s.configure("", "north", "west", "east", "south")
			changed = append(changed, s.reload(0))
			p.Routed = nil
			s.peers[to] = p
			if r := routes(); !strings.Contains(r, "10.78.0.0/16 dev "+gateway.Device) || strings.Count(r, "unreachable 10.78.0.0/16") != 2 {
				t.Errorf("the prefix at %s has no route, or not its guards:\n%s", to, r)
			}
		}
		if want := []string{"peer west: allowed_ips\n", "peer west: allowed_ips\npeer south: allowed_ips\n"}; !slices.Equal(changed, want) {
			t.Errorf("told %q, want %q", changed, want)
		}
		kept("after that")
	})
	for _, f := range flows {
		got := f.stop()
		t.Logf("%s: %v", f.name, got)
		if got.lost > 0 {
			t.Errorf("%s loses packets", f.name)
		}
	}
	data.stop()
}

// TestRotate replaces the key of a spoke under a transfer, in which no packet is lost; first
// the hub does not know the coming key, and the present one is put back.
func TestRotate(t *testing.T) {
	tier.Select(t)
	s := newSpokes(t)
	s.configure("", "north", "east")
	north := s.spokes["north"]
	up(t, s.hub, north, s.spokes["east"])
	await(t, s.hub, gateway.Established)
	flows := []*flow{
		startStream(t, north.Host, s.hub.Host, "10.77.0.1", 1000, time.Millisecond),
		startStream(t, s.hub.Host, north.Host, "10.77.0.2", 1000, time.Millisecond),
	}
	goOn := func() {
		for _, f := range flows {
			f.reach(f.sent.Load() + 50)
		}
	}
	file, old := filepath.Join(north.Dir, "private.key"), north.Public.String()
	present, err := os.ReadFile(file)
	check(t, err)
	goOn()
	out := runs(t, north, 0, "rotate", "-c", north.Config())
	_, list, _ := strings.Cut(out, "public_key = ")
	list, _, _ = strings.Cut(list, "\n")
	if !strings.HasPrefix(list, fmt.Sprintf("[%q, ", old)) || runs(t, north, 0, "rotate", "-c", north.Config()) != out {
		t.Fatalf("told:\n%s", out)
	}

	out = runs(t, north, noAnswer, "rotate", "--switch", "-c", north.Config(), "--timeout", "1s")
	if again, err := os.ReadFile(file); err != nil || string(again) != string(present) || !strings.Contains(out, "hub") {
		t.Errorf("the present key is not put back: %v\n%s", err, out)
	}
	if key := statusOf(t, north).PublicKey; key != old {
		t.Errorf("the tunnel has the key %s", key)
	}
	goOn()

	edit(t, s.hub.Config(), fmt.Sprintf("public_key = %q", old), "public_key = "+list)
	if out := s.reload(0); out != "peer north: public_key\n" {
		t.Errorf("told:\n%s", out)
	}
	goOn()
	out = runs(t, north, 0, "rotate", "--switch", "-c", north.Config(), "--timeout", within.String())
	_, key, _ := strings.Cut(out, `public_key = "`)
	key, _, _ = strings.Cut(key, `"`)
	if now := statusOf(t, north).PublicKey; now != key || key == old {
		t.Errorf("the tunnel has the key %s; told:\n%s", now, out)
	}
	await(t, s.hub, func(s *status.Status) bool { return s.Peers[0].PublicKey == key })
	goOn()
	edit(t, s.hub.Config(), "public_key = "+list, fmt.Sprintf("public_key = %q", key))
	s.reload(0)
	goOn()
	for _, f := range flows {
		got := f.stop()
		t.Logf("%s: %v", f.name, got)
		if got.lost > 0 {
			t.Errorf("%s loses packets", f.name)
		}
	}
	left, err := filepath.Glob(file + ".*")
	if check(t, err); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	for _, g := range []*gateway.Gateway{s.hub, north} {
		if log := g.Log(); strings.Contains(log, "peer lost") {
			t.Errorf("%s has lost its peer:\n%s", g.Name, log)
		}
	}
}
