package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script/*.txtar: the commands as a user types them.
// The language is that of package testscript, with these commands:
//
//	exits CODE PROGRAM [ARGUMENT…]  run it; it must exit with the code
//	mode FILE OCTAL                 look at its permissions
//	replace FILE OLD NEW            edit
//	serve-status SOCKET FILE        be a tunnel whose status is the file
func TestScripts(t *testing.T) {
	// Not t.TempDir, whose path may be too long for a Unix socket.
	root, err := os.MkdirTemp("", "fathom")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	testscript.Run(t, testscript.Params{
		Dir:         "testdata/script",
		WorkdirRoot: root,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("HOME", env.WorkDir)
			return ownerOnly(env.WorkDir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scriptExits, "mode": scriptMode, "replace": scriptReplace, "serve-status": scriptServeStatus,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// ownerOnly takes the files of a script from all but their owner, as keys want it.
func ownerOnly(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
}

// scriptArguments ends a script whose command has other words than it takes.
func scriptArguments(ts *testscript.TestScript, neg bool, args []string, atLeast, atMost int) {
	if neg || len(args) < atLeast || len(args) > atMost {
		ts.Fatalf("! has no meaning here, or there are too few or too many words")
	}
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	scriptArguments(ts, neg, args, 2, 1000)
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	scriptArguments(ts, neg, args, 2, 2)
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if mode := fmt.Sprintf("%04o", info.Mode().Perm()); mode != args[1] {
		ts.Fatalf("mode %s, want %s", mode, args[1])
	}
}

func scriptReplace(ts *testscript.TestScript, neg bool, args []string) {
	scriptArguments(ts, neg, args, 3, 3)
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%q is not in %s", args[1], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}

func scriptServeStatus(ts *testscript.TestScript, neg bool, args []string) {
	scriptArguments(ts, neg, args, 2, 2)
	stop, err := serveStatus(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Defer(stop)
}
