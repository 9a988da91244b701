//go:build linux

package packages

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fathom/test/tier"
)

func TestTheSameBytesTwice(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	first, second := packages(t), t.TempDir()
	check(t, build(second, newer, architectures...))
	for _, arch := range architectures {
		for _, path := range []string{deb(first, newer, arch), rpm(first, newer, arch)} {
			a, err := os.ReadFile(path)
			check(t, err)
			b, err := os.ReadFile(filepath.Join(second, filepath.Base(path)))
			check(t, err)
			if !bytes.Equal(a, b) {
				t.Errorf("%s differs from build to build", filepath.Base(path))
			}
		}
	}
}

func TestLintianFindsNoError(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	args := []string{"--allow-root", "--fail-on", "error"}
	for _, arch := range architectures {
		args = append(args, deb(packages(t), newer, arch))
	}
	out, err := run(t, "lintian", "lintian", args...)
	t.Log(out)
	if err != nil {
		t.Error(err)
	}
}

func TestTheRPMIsWhole(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	for _, arch := range architectures {
		path := rpm(packages(t), newer, arch)
		if out, err := run(t, "rpm", "rpm", "--checksig", path); err != nil || !strings.Contains(out, "digests OK") {
			t.Errorf("%v: %s", err, out)
		}
		list, err := run(t, "rpm", "rpm", "-qlp", path)
		check(t, err)
		for _, file := range []string{"/usr/bin/fathom", "/usr/lib/systemd/system/fathom@.service", "/usr/lib/systemd/system/fathom-release@.service", "/usr/lib/sysusers.d/fathom.conf",
			"/usr/share/man/man8/fathom-wait.8.gz", "/usr/share/man/man5/fathom.toml.5.gz", "/usr/share/bash-completion/completions/fathom",
			"/usr/share/doc/fathom/examples/fathom.toml", "/usr/share/fathom/prometheus/fathom.rules.yml", "/usr/share/fathom/grafana/fathom.json", "/usr/share/doc/fathom/CHANGELOG.md"} {
			if !strings.Contains(list, file+"\n") {
				t.Errorf("%s: no %s", arch, file)
			}
		}
		if out, err := run(t, "rpm", "rpm", "-qp", "--queryformat", "%{VERSION} %{ARCH} %{LICENSE}", path); err != nil || !strings.HasPrefix(out, newer+" ") || !strings.HasSuffix(out, " Apache-2.0") {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// TestTheUnitsAreHardened by systemd's own measure: 0 is best, 10 worst.
func TestTheUnitsAreHardened(t *testing.T) {
	tier.Select(t, tier.Quick, tier.EitherWay)
	const threshold = "19" // tenths: below 2.0
	for _, unit := range []string{"fathom@.service", "fathom-release@.service"} {
		out, err := run(t, "systemd", "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+threshold, "../../packaging/systemd/"+unit)
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		rated := false
		for line := range strings.Lines(out) {
			if strings.Contains(line, "Overall exposure") {
				tier.Figure(t, "%s", strings.TrimSpace(line))
				rated = true
			}
		}
		if !rated {
			t.Errorf("no rating:\n%s", out)
		}
	}
}
