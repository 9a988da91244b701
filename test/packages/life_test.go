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
	t.Parallel()
	available(t)
	live(t, "")
}

// TestTheLifeOnDebian13 is the same on a root that is made for it, which takes longer.
func TestTheLifeOnDebian13(t *testing.T) {
	tier.Select(t, tier.LongOnly)
	t.Parallel()
	available(t)
	root := filepath.Join(t.TempDir(), "root")
	out, err := run(t, "mmdebstrap", "mmdebstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,iproute2,iputils-ping,nftables,procps,strace", "trixie", root)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	live(t, root)
}

// live has the package live on a host with the given root, and judges it.
func live(t *testing.T, root string) {
	t.Helper()
	files := filesFor(t, older, newer)
	var script []byte
	for _, name := range []string{"testdata/common.sh", "testdata/life.sh"} {
		text, err := os.ReadFile(name)
		check(t, err)
		script = append(script, text...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	r, err := sdlab.Run(ctx, sdlab.Config{Root: root, Files: files, Script: string(script)})
	if err != nil || r.Code != 0 {
		t.Fatalf("exit code %d, %v\n%s", r.Code, err, r.Output)
	}
	expect(t, r.Output, map[string]string{
		"version": older, "etc": "root:fathom 750", "verify": "clean",
		"ready": "active", "status": "1 of 1 peer up", "user": "fathom", "asked": "yes", "all": "1", "priority": "6",
		"capabilities": "0000000000001000", // CAP_NET_ADMIN alone
		"hangs":        "told", "watchdog": "1", "crash": "survived",
		"mistake": "", "result": "78 failed failed",
		"upgraded": newer, "restarted": "yes", "hash": "right", "clear": "0",
		"mark": "1", "mark_after": "0",
		"removed": "inactive", "left": "fathom.toml private.key", "device": "0",
		"purged": "", "nobody": "",
	})
	if at := strings.Index(r.Output, "longest gap"); at >= 0 {
		line, _, _ := strings.Cut(r.Output[at:], "\n")
		tier.Figure(t, "an upgrade in the middle of a transfer: %s", line)
	}
}

// available ends the test where no system can be booted.
func available(t *testing.T) {
	t.Helper()
	if err := sdlab.Available(); err != nil {
		labtest.Missing(t, err)
	}
}

// filesFor returns a directory for a system, with packages of two versions as older.deb
// and newer.deb, and this program as tool.
func filesFor(t *testing.T, older, newer string) string {
	t.Helper()
	dir, files := packages(t), t.TempDir()
	self, err := os.Executable()
	check(t, err)
	for name, from := range map[string]string{"older.deb": deb(dir, older, "amd64"), "newer.deb": deb(dir, newer, "amd64"), "tool": self} {
		copyFile(t, filepath.Join(files, name), from)
	}
	return files
}

// expect compares the values that a script has printed.
func expect(t *testing.T, output string, values map[string]string) {
	t.Helper()
	got := fields(output)
	for name, want := range values {
		value, there := got[name]
		if value = strings.TrimRight(value, " "); value != want || !there && want != "" {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	if t.Failed() {
		t.Log(output)
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
