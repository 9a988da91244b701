//go:build linux

package sdlab_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fathom/test/netlab/labtest"
	"fathom/test/sdlab"
	"fathom/test/tier"
)

func TestMain(m *testing.M) {
	sdlab.Main()
	os.Exit(m.Run())
}

// atMost only keeps a failing test from hanging.
const atMost = 2 * time.Minute

func boot(t *testing.T, c sdlab.Config) (sdlab.Result, error) {
	t.Helper()
	tier.Laboratory(t)
	if err := sdlab.Available(); err != nil {
		labtest.Missing(t, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	return sdlab.Run(ctx, c)
}

func TestASystemBootsAndIsGone(t *testing.T) {
	tier.Select(t, tier.Quick, tier.EitherWay)
	files := t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "hello"), []byte("from outside\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join("/etc", "sdlab-"+filepath.Base(files))
	r, err := boot(t, sdlab.Config{Files: files, Script: `
cat /proc/1/comm
cat ` + sdlab.FilesDir + `/hello
touch ` + trace + `
systemctl is-active basic.target
ls /sys/class/net
ip tuntap add dev t0 mode tun
systemd-run --wait --quiet --property=User=nobody true
sysctl -qw net.ipv4.ip_forward=1
! echo 1 2>/dev/null >/proc/sys/kernel/panic
find ` + sdlab.ChangedDir + ` -name 'sdlab-*' -printf '%P\n'
exit 7
`})
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Output)
	}
	if want := "systemd\nfrom outside\nactive\nlo\n" + trace[1:] + "\n"; r.Output != want || r.Code != 7 {
		t.Errorf("exit code %d, output\n%swant\n%s", r.Code, r.Output, want)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Errorf("%s is there afterwards", trace)
		os.Remove(trace)
	}
}

// TestASystemEndsWithItsContext: with all of its processes.
func TestASystemEndsWithItsContext(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	if err := sdlab.Available(); err != nil {
		labtest.Missing(t, err)
	}
	files := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel()
		for deadline := time.Now().Add(atMost); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if _, err := os.Stat(filepath.Join(files, "begun")); err == nil {
				return
			}
		}
	}()
	r, err := sdlab.Run(ctx, sdlab.Config{Files: files, Script: "touch " + sdlab.FilesDir + "/begun; sleep infinity"})
	if err == nil || !strings.Contains(err.Error(), "the script has not ended") {
		t.Errorf("%+v, %v", r, err)
	}
}
