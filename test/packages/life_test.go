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

// TestOnDebian13 is the same, and TestReloadAndHandOver, on a root that is made for it:
// that takes longer.
func TestOnDebian13(t *testing.T) {
	tier.Select(t, tier.LongOnly)
	t.Parallel()
	available(t)
	root := os.Getenv("FATHOM_DEBIAN13")
	if root == "" {
		root = filepath.Join(t.TempDir(), "root")
		out, err := run(t, "mmdebstrap", "mmdebstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,iproute2,iputils-ping,nftables,procps,strace", "trixie", root)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	t.Run("life", func(t *testing.T) { live(t, root) })
	t.Run("reload and hand-over", func(t *testing.T) { reloadAndHandOver(t, root) })
}

// boot boots a system with a root and two versions of the package, runs scripts of
// testdata there, one after the other in one shell, and returns what they print.
func boot(t *testing.T, root string, scripts ...string) (output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	r, err := sdlab.Run(ctx, sdlab.Config{Root: root, Files: filesFor(t, older, newer), Script: script(t, scripts...)})
	if err != nil || r.Code != 0 {
		t.Fatalf("exit code %d, %v\n%s", r.Code, err, r.Output)
	}
	return r.Output
}

// script joins scripts of testdata to one that begins with what they share.
func script(t *testing.T, names ...string) (text string) {
	t.Helper()
	for _, name := range append([]string{"common"}, names...) {
		part, err := os.ReadFile(filepath.Join("testdata", name+".sh"))
		check(t, err)
		text += string(part)
	}
	return text
}

// live has the package live on a host with the given root, and judges it.
func live(t *testing.T, root string) {
	t.Helper()
	output := boot(t, root, "pair", "transfer", "life")
	expect(t, output, map[string]string{
		"version": older, "etc": "root:fathom 750", "verify": "clean",
		"ready": "active", "status": "1 of 1 peer up", "user": "fathom", "asked": "yes", "all": "1", "priority": "6",
		"capabilities": "0000000000001000", // CAP_NET_ADMIN alone
		"hangs":        "told", "watchdog": "1", "crash": "survived", "threads": "allowed",
		"reinstalled": "install ok installed", "with_mistake": "failed",
		"mistake": "", "result": "78 failed failed",
		"upgraded": newer, "restarted": "yes", "hash": "right", "clear": "0",
		"mark": "1", "mark_after": "0",
		"rpm_post": "active", "rpm_preun": "inactive", "rpm_postun": "inactive",
		"removed": "inactive", "left": "fathom.toml private.key", "device": "0",
		"purged": "", "nobody": "",
	})
	if at := strings.Index(output, "longest gap"); at >= 0 {
		line, _, _ := strings.Cut(output[at:], "\n")
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
// and newer.deb, the scripts of the RPM as rpm-post and so on, and this program as tool.
func filesFor(t *testing.T, older, newer string) string {
	t.Helper()
	dir, files := packages(t), t.TempDir()
	self, err := os.Executable()
	check(t, err)
	for name, from := range map[string]string{"older.deb": deb(dir, older, "amd64"), "newer.deb": deb(dir, newer, "amd64"), "tool": self,
		"rpm-post": "../../packaging/rpm/post", "rpm-preun": "../../packaging/rpm/preun", "rpm-postun": "../../packaging/rpm/postun"} {
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
