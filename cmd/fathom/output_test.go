package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fathom/conf"
	"fathom/tunnel/status"
)

func TestReport(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
		code int
	}{
		{"success says nothing", nil, "", 0},
		{"an exit code says nothing", fmt.Errorf("wrapped: %w", exitCode(3)), "", 3},
		{"an error without a hint", errors.New("it rains"), "fathom: error: it rains\n", 1},
		{"an error with a hint", withHint(errors.New("it rains"), "take an %s", "umbrella"),
			"fathom: error: it rains\nfathom: hint: take an umbrella\n", 1},
		{"a mistake on the command line", usageError(errors.New("what?"), "say it again"),
			"fathom: error: what?\nfathom: hint: say it again\n", 2},
		{"no tunnel", fmt.Errorf("%w at x.sock", status.ErrNotRunning),
			"fathom: error: no tunnel is running at x.sock\nfathom: hint: `fathom up` starts it, or `systemctl start fathom@NAME`\n", 4},
		{"no tunnel, and a better hint", withHint(status.ErrNotRunning, "look"),
			"fathom: error: no tunnel is running\nfathom: hint: look\n", 4},
		{"no such peer", fmt.Errorf("%w: x", status.ErrNoPeer),
			"fathom: error: no such peer: x\nfathom: hint: `fathom status` lists the peers\n", 5},
		{"no answer", fmt.Errorf("%w within 1s", status.ErrNoAnswer), "fathom: error: no answer within 1s\n", 3},
		{"no configuration", fmt.Errorf("%w: x", conf.ErrNoConfig),
			"fathom: error: no configuration file: x\nfathom: hint: `fathom init` writes one; -c names another file\n", 78},
		{"not allowed", fmt.Errorf("open x: %w", fs.ErrPermission),
			"fathom: error: open x: permission denied\nfathom: hint: run as root, or as the owner of the file\n", 77},
		{"several errors", errors.Join(errors.New("one"), withHint(errors.New("two"), "three")),
			"fathom: error: one\nfathom: error: two\nfathom: hint: three\n", 1},
		{"mistakes of a file", conf.Errors{{File: "f", Line: 1, Problem: "a"}, {File: "f", Line: 2, Key: "k", Problem: "b", Hint: "c"}},
			"f:1: a\nf:2: k: b (c)\nfathom: error: 2 mistakes in the configuration\n", 78},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			if code := report(&b, test.err); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if got := b.String(); got != test.want {
				t.Errorf("printed\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if onTerminal(file) || onTerminal(new(strings.Builder)) {
		t.Error("taken for a terminal")
	}
	// A pseudo-terminal is one.
	if tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil {
		defer tty.Close()
		if !onTerminal(tty) {
			t.Error("a terminal is not recognized")
		}
	}
}
