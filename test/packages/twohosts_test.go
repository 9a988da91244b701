//go:build linux

package packages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fathom/test/document"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/sdlab"
	"fathom/test/tier"
)

// TestTwoHostsByTheDocument boots two hosts and does what docs/service.md says, word for
// word: install, make the files of both with `fathom init --pair`, bring them there by
// scp, start, wait; then Bacula by its own units, with a job that waits for the tunnel and
// in the middle of which both ends are upgraded; then back to the older version.
func TestTwoHostsByTheDocument(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	available(t)
	for name, debian := range map[string]string{"sshd": "openssh-server", "scp": "openssh-client", "sqlite3": "sqlite3",
		"bacula-fd": "bacula-fd", "bacula-sd": "bacula-sd", "bacula-dir": "bacula-director-sqlite3", "bconsole": "bacula-console"} {
		program(t, name, debian)
	}
	lab := labtest.New(t)
	a, b := lab.Host("a"), lab.Host("b")
	wire := lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("192.0.2.1/24"), AddrB: netlab.Prefixes("192.0.2.2/24")})

	files := filesFor(t, older, newer)
	hosts := fmt.Sprintf("%s a.example.org\n%s b.example.org\n", wire.A.Addr4(), wire.B.Addr4())
	check(t, os.WriteFile(filepath.Join(files, "hosts"), []byte(hosts), 0o644))
	if out, err := run(t, "openssh-client", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(files, "key")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	runScript := documented(t, files)
	for name, text := range baculaFiles(runScript) {
		check(t, os.WriteFile(filepath.Join(files, name), []byte(text), 0o644))
	}

	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	var systems sync.WaitGroup
	results, errs := [2]sdlab.Result{}, [2]error{}
	for i, host := range []*netlab.Host{a, b} {
		script := script(t, []string{"client", "storage"}[i])
		systems.Go(func() {
			results[i], errs[i] = sdlab.Run(ctx, sdlab.Config{Inside: host.Do, Files: files, Script: script})
			if errs[i] != nil || results[i].Code != 0 {
				// The other one does not wait for it.
				errs[i] = errors.Join(errs[i], os.WriteFile(filepath.Join(files, "failed"), nil, 0o644))
			}
		})
	}
	systems.Wait()
	for i, r := range results {
		if errs[i] != nil || r.Code != 0 {
			t.Errorf("host %c: exit code %d, %v\n%s", 'a'+i, r.Code, errs[i], r.Output)
		}
	}
	got := fields(results[0].Output)
	expect(t, results[0].Output, map[string]string{
		"again": "2", "kept": "yes", "pair": "1", "peer": "active", "office": "active", "waits": "success", "imported": "78",
		"ordered": "active active active active", "restarted": "yes", "upgraded": newer + " " + newer,
		"midjob": "yes", "job": "Backup OK", "script": "1", "hash": got["streamed"], "back": older,
	})
	if got["streamed"] == "" {
		t.Error("no hash of what was streamed")
	}
}

// documented writes the commands of docs/service.md for the scripts, each block to a file,
// and returns the job's RunScript. In place of the document's peer and of the file that
// packaging/build writes there are those of the laboratory.
func documented(t *testing.T, files string) (runScript string) {
	t.Helper()
	check(t, os.Mkdir(filepath.Join(files, "documented"), 0o755))
	for heading, names := range map[string][]string{
		"## Two hosts in five minutes":                    {"install", "pair", "look"},
		"## The unit":                                     {"unit"},
		"## Wait for a peer":                              {"wait", "unit-waits"},
		"## In the place of an IPsec tunnel under Bacula": {"import", "client-order", "storage-order", "run-script"},
	} {
		blocks, err := document.Blocks("../../docs/service.md", heading)
		check(t, err)
		if len(blocks) != len(names) {
			t.Fatalf("%s has %d blocks, not %v: %q", heading, len(blocks), names, blocks)
		}
		for i, name := range names {
			text := blocks[i]
			if name == "install" {
				// The packages are built already, by this command.
				var ok bool
				if text, ok = strings.CutPrefix(text, "packaging/build\n"); !ok {
					t.Fatalf("the document does not build the packages: %q", text)
				}
			}
			text = strings.NewReplacer("wait storage", "wait b.example.org", "ping 10", "ping -c 3 -i 0.1 -W 5 10").Replace(text)
			check(t, os.WriteFile(filepath.Join(files, "documented", name), []byte(text), 0o644))
			if name == "run-script" {
				runScript = text
			}
		}
	}
	return runScript
}
