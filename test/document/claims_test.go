package document

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// claim says what becomes of the blocks of a section, one entry a block: the test that
// reads it, as "FILE TestName" with the file's path in the repository, or why none runs
// it, as "not: REASON".
type claim struct {
	document, heading string
	blocks            []string
}

// Tests that read blocks, and reasons.
const (
	twoHosts   = "test/readme_test.go TestTwoHostsByTheREADME"
	install    = "test/commands_test.go TestTheCommandIsInstalledByTheREADME"
	networks   = "test/readme_test.go TestTwoNetworksByTheREADME"
	everything = "test/readme_test.go TestEverythingThroughTheTunnelByTheREADME"
	uplinks    = "test/readme_test.go TestTwoUplinksByTheREADME"
	hub        = "test/hubdocument_test.go TestAHubByTheDocument"
	packages   = "test/packages/twohosts_test.go TestTwoHostsByTheDocument"
	taken      = "test/commands_test.go TestHostsTakeTheCommandsOfTheDocuments"
	named      = "test/document/claims_test.go TestTheTestsThatADocumentRunsAreThere"
	alerts     = "test/metrics_test.go TestEveryAlertFires"

	picture = "not: it is a picture"
	shown   = "not: it shows what the host or Fathom prints"
)

var claims = []claim{
	{"README.md", "## How it works", []string{picture, picture}},
	{"README.md", "## Try it", []string{
		"not: the demo at its full size takes long; cmd/fathom/demo_test.go runs it with less to send",
		"not: these run all tests, this one among them"}},
	{"README.md", "## Two real hosts", []string{install, "not: without -d it writes to /etc/fathom; " + twoHosts + " runs it with -d", twoHosts,
		"not: without -c they read /etc/fathom; " + twoHosts + " runs them with -c", "not: as above"}},
	{"README.md", "## Two networks", slices.Repeat([]string{networks}, 7)},
	{"README.md", "## Everything through the tunnel", slices.Repeat([]string{everything}, 3)},
	{"README.md", "## Two uplinks", slices.Repeat([]string{uplinks}, 2)},
	{"docs/architecture.md", "## The house", []string{picture}},
	{"docs/datapath.md", "# The data path", []string{picture}},
	{"docs/datapath.md", "## Where the time goes", []string{"not: perf needs counters that a virtual machine may lack, and a minute"}},
	{"docs/default-route.md", "# A default route through the tunnel", []string{shown, taken}},
	{"docs/default-route.md", "## Firewalls that look at the reverse path", []string{taken}},
	{"docs/default-route.md", "## Rules of yours", []string{taken}},
	{"docs/default-route.md", "## `fwmark`", []string{taken}},
	{"docs/default-route.md", "## Endpoints that are names", []string{taken}},
	{"docs/default-route.md", "## `table`", []string{taken}},
	{"docs/default-route.md", "## What Fathom asks the kernel", []string{taken}},
	{"docs/doctor.md", "# fathom doctor", []string{shown}},
	{"docs/floods.md", "## What the operator sees", []string{taken}},
	{"docs/handshake.md", "## The rule", []string{picture, picture}},
	{"docs/history.md", "# What happened", []string{shown + "; test/history_test.go asks for a history that it has made"}},
	{"docs/hops.md", "# Find the router that swallows packets", []string{shown}},
	{"docs/host.md", "## Nothing leaves in clear text", []string{shown}},
	{"docs/host.md", "### The second line", []string{shown}},
	{"docs/host.md", "## When Fathom stops", []string{taken}},
	{"docs/hub.md", "# A hub with many clients", []string{"not: without -d it writes to /etc/fathom; the test makes the keys itself", hub, hub, hub, hub, hub}},
	{"docs/metrics.md", "# Metrics and the page", []string{"not: test/metrics_test.go configures a port of its own"}},
	{"docs/metrics.md", "## Who may ask", []string{"not: it is a file of Caddy, which Debian's archive has, but no test installs"}},
	{"docs/metrics.md", "## Prometheus", []string{alerts}},
	{"docs/paths.md", "## rp_filter", []string{taken}},
	{"docs/paths.md", "## What `fathom status` shows", []string{shown}},
	{"docs/service.md", "## Two hosts in five minutes", slices.Repeat([]string{packages}, 3)},
	{"docs/service.md", "## The unit", []string{packages}},
	{"docs/service.md", "## Change the configuration", []string{"not: test/packages/testdata/reload.sh reloads the tunnel of its own name"}},
	{"docs/service.md", "## Replace a key", []string{"not: it is a line of a file with keys left out; test/renumbered_test.go and cmd/fathom/testdata/script/rotate.txtar have real ones"}},
	{"docs/service.md", "## Wait for a peer", []string{packages, packages}},
	{"docs/service.md", "## In the place of an IPsec tunnel under Bacula", slices.Repeat([]string{packages}, 4)},
	{"docs/testing.md", "## One test, one pass", []string{named}},
}

// TestEveryBlockIsClaimed compares the blocks of all documents with the claims: a block
// that no test reads has a reason, and a test that claims one is there and names its
// document and heading.
func TestEveryBlockIsClaimed(t *testing.T) {
	const root = "../.."
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[[2]string][]string)
	for _, path := range append(documents, filepath.Join(root, "README.md")) {
		blocks, err := All(path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile("(?m)^ *```").Match(text) {
			t.Errorf("%s has a fenced block, which no test reads: indent it", path)
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			key := [2]string{name, b.Heading}
			there[key] = append(there[key], b.Text)
		}
	}
	for _, c := range claims {
		key := [2]string{c.document, c.heading}
		blocks := there[key]
		delete(there, key)
		if len(blocks) != len(c.blocks) {
			t.Errorf("%s, %s: %d blocks are claimed, and there are %d: %q", c.document, c.heading, len(c.blocks), len(blocks), blocks)
		}
		for _, by := range c.blocks {
			if reason, ok := strings.CutPrefix(by, "not: "); ok {
				if reason == "" {
					t.Errorf("%s, %s: no reason", c.document, c.heading)
				}
			} else if err := reads(root, by, c); err != nil {
				t.Errorf("%s, %s: %v", c.document, c.heading, err)
			}
		}
	}
	for key, blocks := range there {
		t.Errorf("%s, %s: nothing claims %q", key[0], key[1], blocks)
	}
}

// reads returns an error unless a file has the test that claims a section, and names the
// section and its document.
func reads(root, by string, c claim) error {
	file, test, _ := strings.Cut(by, " ")
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return err
	}
	for _, want := range []string{"func " + test + "(t *testing.T) {", fmt.Sprintf("%q", c.heading), filepath.Base(c.document)} {
		if !strings.Contains(string(text), want) {
			return fmt.Errorf("%s does not have %s", file, want)
		}
	}
	return nil
}

// TestTheTestsThatADocumentRunsAreThere looks for those that `go test` is given by name.
func TestTheTestsThatADocumentRunsAreThere(t *testing.T) {
	const root = "../.."
	blocks, err := Blocks(filepath.Join(root, "docs/testing.md"), "## One test, one pass")
	if err != nil {
		t.Fatal(err)
	}
	commands := strings.Join(blocks, "")
	found := regexp.MustCompile(`(?m)go test .*?(\./test\S*) -run '?(\w+)`).FindAllStringSubmatch(commands, -1)
	if want := strings.Count(commands, "-run "); len(found) != want || want == 0 {
		t.Fatalf("%d of %d tests are understood in %q", len(found), want, commands)
	}
	for _, f := range found {
		folder, test := path.Join(root, f[1]), f[2]
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(text), "func "+test+"(")
		}) {
			t.Errorf("%s has no %s", f[1], test)
		}
	}
}
