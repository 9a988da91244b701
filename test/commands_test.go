//go:build linux

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fathom/test/document"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// TestTheCommandIsInstalledByTheREADME builds and installs it as README.md says, to a
// folder of its own.
func TestTheCommandIsInstalledByTheREADME(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	sh := program(t, "sh", "dash")
	program(t, "install", "coreutils")
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	commands := blocksOfREADME(t, "## Two real hosts")[0]
	commands = strings.NewReplacer("sudo ", "", "-o fathom ", "-o "+dir+"/fathom ", "0755 fathom ", "0755 "+dir+"/fathom ", "/usr/local/bin", dir+"/bin").Replace(commands)
	command := exec.Command(sh, "-ec", commands)
	command.Dir = ".."
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(filepath.Join(dir, "bin/fathom"), "--version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "fathom ") {
		t.Errorf("what is installed says %q, %v", out, err)
	}
}

// TestHostsTakeTheCommandsOfTheDocuments has a host run what documents say to type, one
// block after the other, where no other test shows what comes of it.
func TestHostsTakeTheCommandsOfTheDocuments(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	sh := program(t, "sh", "dash")
	for name, debian := range map[string]string{"ip": "iproute2", "nft": "nftables", "sysctl": "procps"} {
		program(t, name, debian)
	}
	lab := labtest.New(t)
	a, b := lab.Host("a"), lab.Host("b")
	lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("192.0.2.1/24"), AddrB: netlab.Prefixes("192.0.2.2/24")})
	// What the documents speak of.
	run(t, a, sh, "-ec", `ip link add wwan0 type veth peer name wwan1; ip link set wwan0 up; ip link set wwan1 up; ip addr add 10.64.0.7/24 dev wwan0
		ip route add default via 192.0.2.2`)
	// A rule and a route that a tunnel has left.
	leave := "ip rule add to 10.88.2.0/24 lookup 4601 protocol 70; ip route add unreachable 10.88.2.0/24 table 4601 protocol 70"
	for _, section := range []struct {
		document, heading string
		block             int // the first that is run
		on                *netlab.Host
		before, after     string // after must not find anything that is left
	}{
		{"default-route.md", "# A default route through the tunnel", 1, a, leave, "ip rule show | grep 4601 || ip route show table all | grep 10.88.2.0"},
		{"default-route.md", "## Firewalls that look at the reverse path", 0, a, "", ""},
		{"default-route.md", "## Rules of yours", 0, a, "", ""},
		{"default-route.md", "## `fwmark`", 0, a, "", ""},
		{"default-route.md", "## Endpoints that are names", 0, b, "", ""},
		{"default-route.md", "## `table`", 0, a, "", ""},
		{"default-route.md", "## What Fathom asks the kernel", 0, a, "", ""},
		{"floods.md", "## What the operator sees", 0, a, "", ""},
		{"host.md", "## When Fathom stops", 0, a, leave, "ip rule show | grep 4601 || ip route show table all | grep 10.88.2.0"},
		{"paths.md", "## rp_filter", 0, a, "", ""},
	} {
		var blocks []string
		all, err := document.All(filepath.Join("../docs", section.document))
		check(t, err)
		for _, block := range all {
			if block.Heading == section.heading {
				blocks = append(blocks, block.Text)
			}
		}
		if len(blocks) != section.block+1 {
			t.Fatalf("%s, %s has %d blocks: %q", section.document, section.heading, len(blocks), blocks)
		}
		// A line of a configuration is not for the shell.
		commands := regexp.MustCompile(`(?m)^\w+ = .*\n`).ReplaceAllString(blocks[section.block], "")
		if strings.TrimSpace(commands) == "" {
			t.Fatalf("%s, %s has no commands: %q", section.document, section.heading, blocks)
		}
		run(t, section.on, sh, "-ec", section.before)
		t.Logf("%s, %s:\n%s%s", section.document, section.heading, commands, run(t, section.on, sh, "-ec", commands))
		if section.after != "" {
			if out, err := section.on.Command(sh, "-c", section.after).CombinedOutput(); err == nil {
				t.Errorf("%s, %s leaves %s", section.document, section.heading, out)
			}
		}
	}
}
