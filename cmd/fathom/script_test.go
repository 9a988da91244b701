package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"fathom/tunnel/status"
)

// TestScripts runs testdata/script/*.txtar: the commands as a user types them.
// Package testscript documents the language. These commands are added:
//
//	exits CODE PROGRAM [ARGUMENT...]  run a program, which must exit with the code
//	mode FILE OCTAL                   check the permissions of a file
//	replace FILE OLD NEW              replace text that the file contains
//	serve-status SOCKET FILE          answer on a status socket with the file, as a tunnel does
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, noRaceDelay)
			return ownerOnly(env.WorkDir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scriptExits, "mode": scriptMode, "replace": scriptReplace, "serve-status": scriptServeStatus,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// ownerOnly sets mode 0600 on the files of a script: Fathom refuses a key file
// that others can read.
func ownerOnly(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
}

// usage ends a script that uses a command wrongly.
func usage(ts *testscript.TestScript, right bool, form string) {
	if !right {
		ts.Fatalf("usage: %s", form)
	}
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "exits CODE PROGRAM [ARGUMENT...]")
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
	usage(ts, !neg && len(args) == 2, "mode FILE OCTAL")
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if mode := fmt.Sprintf("%04o", info.Mode().Perm()); mode != args[1] {
		ts.Fatalf("mode %s, want %s", mode, args[1])
	}
}

func scriptReplace(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 3, "replace FILE OLD NEW")
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%q is not in %s", args[1], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}

func scriptServeStatus(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "serve-status SOCKET FILE")
	listener, err := status.Listen(ts.MkAbs(args[0]))
	ts.Check(err)
	ctx, stop := context.WithCancel(context.Background())
	var server sync.WaitGroup
	server.Go(func() { status.Serve(ctx, listener, answer(ts.ReadFile(args[1])), slog.New(slog.DiscardHandler)) })
	ts.Defer(func() { stop(); server.Wait() })
}

// answer is a tunnel that gives one answer to everything: a document, or an
// error, in JSON.
type answer string

func (a answer) Status(context.Context) (*status.Status, error) {
	s := new(status.Status)
	return s, a.read(s)
}

func (a answer) Probe(context.Context, string) (*status.ProbeReport, error) {
	r := new(status.ProbeReport)
	return r, a.read(r)
}

func (a answer) Hops(context.Context, string) (*status.HopsReport, error) {
	r := new(status.HopsReport)
	return r, a.read(r)
}

func (a answer) Echo(context.Context, string) (*status.EchoReport, error) {
	r := new(status.EchoReport)
	return r, a.read(r)
}

func (a answer) Facts(context.Context, string) (*status.FactsReport, error) {
	r := new(status.FactsReport)
	return r, a.read(r)
}

func (a answer) Reload(context.Context) (*status.ReloadReport, error) {
	r := new(status.ReloadReport)
	return r, a.read(r)
}

func (a answer) History(context.Context, status.HistoryQuery) (*status.History, error) {
	h := new(status.History)
	return h, a.read(h)
}

func (a answer) read(document any) error {
	var refusal struct{ Error, Code string }
	if err := errors.Join(json.Unmarshal([]byte(a), document), json.Unmarshal([]byte(a), &refusal)); err != nil || refusal.Error == "" {
		return err
	}
	switch refusal.Code {
	case "no_peer":
		return fmt.Errorf("%w: %s", status.ErrNoPeer, refusal.Error)
	case "restart":
		return fmt.Errorf("%w: %s", status.ErrRestart, refusal.Error)
	case "no_answer":
		return fmt.Errorf("%w: %s", status.ErrNoAnswer, refusal.Error)
	}
	return errors.New(refusal.Error)
}
