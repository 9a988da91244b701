//go:build linux

package packages

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fathom/test/netlab/labtest"
	"fathom/test/sdlab"
	"fathom/test/tier"
)

// atMost only keeps a failing test from hanging.
const atMost = 8 * time.Minute

// TestTheLifeOfThePackage on a host with this machine's systemd: testdata/life.sh.
func TestTheLifeOfThePackage(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	if err := sdlab.Available(); err != nil {
		labtest.Missing(t, err)
	}
	live(t, "")
}

// live has the package live on a host with the given root, and judges it.
func live(t *testing.T, root string) {
	t.Helper()
	dir, files := packages(t), t.TempDir()
	self, err := os.Executable()
	check(t, err)
	for name, from := range map[string]string{"older.deb": deb(dir, older, "amd64"), "newer.deb": deb(dir, newer, "amd64"), "tool": self} {
		copyFile(t, filepath.Join(files, name), from)
	}
	script, err := os.ReadFile("testdata/life.sh")
	check(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	r, err := sdlab.Run(ctx, sdlab.Config{Root: root, Files: files, Script: string(script)})
	if err != nil || r.Code != 0 {
		t.Fatalf("exit code %d, %v\n%s", r.Code, err, r.Output)
	}
	got := fields(r.Output)
	for name, want := range map[string]string{
		"version": older, "etc": "root:fathom 750", "verify": "clean",
		"ready": "active", "status": "1 of 1 peer up", "user": "fathom", "asked": "yes", "all": "1", "priority": "6",
		"capabilities": "0000000000001000", // CAP_NET_ADMIN alone
		"watchdog":     "1", "crash": "survived",
		"mistake": "", "result": "78 failed failed",
		"upgraded": newer, "restarted": "yes", "hash": "right",
		"mark": "1", "mark_after": "0",
		"removed": "inactive", "left": "fathom.toml private.key ", "device": "0",
		"purged": "", "nobody": "",
	} {
		value, there := got[name]
		if value = strings.TrimRight(value, " "); value != strings.TrimRight(want, " ") || !there && want != "" {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	if t.Failed() {
		t.Log(r.Output)
	}
	if at := strings.Index(r.Output, "longest gap"); at >= 0 {
		line, _, _ := strings.Cut(r.Output[at:], "\n")
		tier.Figure(t, "an upgrade in the middle of a transfer: %s", line)
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	in, err := os.Open(from)
	check(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	check(t, err)
	_, err = io.Copy(out, in)
	check(t, err)
	check(t, out.Close())
}
