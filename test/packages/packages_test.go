//go:build linux

package packages

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// TestTheVersionIsThatOfGit in a repository that has nothing but the script: what it is
// for each state, and that both kinds of packages take it for newer than the state before.
func TestTheVersionIsThatOfGit(t *testing.T) {
	tier.Select(t, tier.Quick, tier.EitherWay)
	t.Parallel()
	root := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		args = append([]string{"-C", root, "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}, args...)
		if out, err := run(t, "git", "git", args...); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	check(t, os.Mkdir(filepath.Join(root, "packaging"), 0o755))
	script, file := filepath.Join(root, "packaging/build"), filepath.Join(root, "file")
	copyFile(t, script, "../../packaging/build")
	write := func(text string) { check(t, os.WriteFile(file, []byte(text), 0o644)) }
	git("init", "-q")
	before := ""
	for _, state := range []struct {
		of   string
		make func()
		want string // a regular expression
	}{
		{"no tag", func() { git("add", "."); git("commit", "-qm", "a") }, `0~1\.g[0-9a-f]{9}`},
		{"no tag, a file that is not in the commit", func() { write("a") }, `0~1\.g[0-9a-f]{9}\+dirty`},
		{"a tag", func() { git("add", "."); git("commit", "-qm", "b"); git("tag", "v1.2.0") }, `1\.2\.0`},
		{"a tag, a file that differs", func() { write("b") }, `1\.2\.0\+dirty`},
		{"later", func() { git("commit", "-qam", "c") }, `1\.2\.0\+1\.g[0-9a-f]{9}`},
		{"later, a file that is gone", func() { check(t, os.Remove(file)) }, `1\.2\.0\+1\.g[0-9a-f]{9}\+dirty`},
	} {
		state.make()
		command := exec.Command(script, "-v")
		command.Env = append(os.Environ(), "VERSION=", "SOURCE_DATE_EPOCH=")
		out, err := command.Output()
		check(t, err)
		version := strings.TrimSpace(string(out))
		if !regexp.MustCompile("^" + state.want + "$").MatchString(version) {
			t.Errorf("%s: the version is %s, not %s", state.of, version, state.want)
		}
		if out, err := run(t, "dpkg", "dpkg", "--validate-version", version); err != nil {
			t.Errorf("%s: %s", state.of, out)
		}
		// What follows a dirty state need not be newer: where a digit follows the +, it is not.
		if before != "" && !strings.HasSuffix(before, "dirty") {
			if _, err := run(t, "dpkg", "dpkg", "--compare-versions", version, "gt", before); err != nil {
				t.Errorf("%s is not newer than %s: %v", version, before, err)
			}
			if out, err := run(t, "rpm", "rpm", "--eval", fmt.Sprintf(`%%{lua:print(rpm.vercmp(%q, %q))}`, version, before)); err != nil || strings.TrimSpace(out) != "1" {
				t.Errorf("%s is not newer than %s: %q, %v", version, before, out, err)
			}
		}
		before = version
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
