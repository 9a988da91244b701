//go:build linux

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fathom/test/document"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// TestAHubByTheDocument sets up a hub and two clients with the files and commands of
// docs/hub.md. One client is behind a NAT, the other comes when the tunnel runs.
func TestAHubByTheDocument(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	sh, ping := program(t, "sh", "dash"), program(t, "ping", "iputils-ping")
	program(t, "sysctl", "procps")
	blocks, err := document.Blocks("../docs/hub.md", "# A hub with many clients")
	check(t, err)
	if len(blocks) != 6 {
		t.Fatalf("%d blocks: %q", len(blocks), blocks)
	}
	ofHub, ofClient, forward, look, reload := blocks[1], blocks[2], blocks[3], blocks[4], blocks[5]

	lab := labtest.New(t)
	hub, nat, laptop, office := lab.Host("hub"), lab.Host("nat"), lab.Host("laptop"), lab.Host("office")
	cable := func(from, to *netlab.Host, left, right string) *netlab.Link {
		return lab.Connect(from, to, netlab.LinkConfig{AddrA: netlab.Prefixes(left), AddrB: netlab.Prefixes(right)})
	}
	uplink := cable(hub, nat, "192.0.2.1/24", "192.0.2.2/24")
	home := cable(nat, laptop, "192.168.1.1/24", "192.168.1.2/24")
	street := cable(hub, office, "198.51.100.1/24", "198.51.100.2/24")
	nat.Forward()
	nat.Masquerade(uplink.B)
	laptop.DefaultVia(home.A.Addr4())

	gateways := make(map[*netlab.Host]*gateway.Gateway)
	for _, h := range []*netlab.Host{hub, laptop, office} {
		gateways[h] = newGateway(t, h)
	}
	write := func(h *netlab.Host, text string, changes ...string) {
		g := gateways[h]
		changes = append(changes, "/etc/fathom", g.Dir, "[[peer]]\nname = \"hub\"", fmt.Sprintf("status_socket = %q\n[[peer]]\nname = \"hub\"", filepath.Join(g.Dir, "status.sock")))
		for _, of := range []*netlab.Host{hub, laptop, office} {
			changes = append(changes, of.Name()+"'s public key", gateways[of].Public.String())
		}
		check(t, os.WriteFile(g.Config(), []byte(strings.NewReplacer(changes...).Replace(text)), 0o600))
	}
	ofHub = strings.Replace(ofHub, "[[peer]]", fmt.Sprintf("status_socket = %q\n[[peer]]", filepath.Join(gateways[hub].Dir, "status.sock")), 1)
	write(hub, ofHub[:strings.LastIndex(ofHub, "[[peer]]")])
	write(laptop, ofClient, "hub.example.org", uplink.A.Addr4().String())
	write(office, ofClient, "hub.example.org", street.A.Addr4().String(), "10.77.0.2/24", "10.77.0.3/24")
	as := func(h *netlab.Host, command string) string {
		return run(t, h, sh, "-ec", strings.NewReplacer("sudo ", "", "fathom status", fathom+" status -c "+gateways[h].Config(), "fathom reload", fathom+" reload -c "+gateways[h].Config()).Replace(command))
	}
	as(hub, forward)
	up(t, gateways[hub], gateways[laptop])
	write(hub, ofHub)
	if text := as(hub, reload); text != "peer office: added\n" {
		t.Errorf("the reload says %q", text)
	}
	up(t, gateways[office])
	await(t, gateways[hub], gateway.Established)
	if text := as(hub, look); !strings.Contains(text, "peer: laptop") || !strings.Contains(text, "peer: office") {
		t.Errorf("status of the hub:\n%s", text)
	}
	for _, way := range []struct {
		from *netlab.Host
		to   string
	}{{laptop, "10.77.0.1"}, {office, "10.77.0.1"}, {laptop, "10.77.0.3"}, {office, "10.77.0.2"}, {hub, "10.77.0.2"}} {
		run(t, way.from, ping, "-c", "2", "-i", "0.1", "-W", "5", way.to)
	}
}
