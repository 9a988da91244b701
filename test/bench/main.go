//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"fathom/test/hubload"
	"fathom/test/netlab"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	if hubload.IsEcho() {
		return hubload.Echo()
	}
	rounds := flag.Int("rounds", 5, "how often each variant takes its turn")
	length := flag.Duration("time", 2*time.Second, "length of one measurement")
	only := flag.String("only", "", "measure only what this `regexp` finds in \"scene/variant/load\"")
	folder := flag.String("write", "", "write benchmark.md and benchmark.svg to this `folder` as well")
	keep := flag.String("keep", "", "add this run to those that `FILE` keeps, and report of all: a long run in parts")
	nebulaPath := flag.String("nebula", "", "measure the nebula at this `path` too, which has nebula-cert beside it")
	judge := flag.Bool("judge", false, "exit with 1 when a target is not met")
	var hub hubFlags
	hub.define()
	flag.Func("also", "let another build of the command take part: `NAME=FILE`", func(s string) error {
		name, file, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("not of the form NAME=FILE")
		}
		for i := range scenes {
			scenes[i].contenders = append(scenes[i].contenders, otherBuild("fathom, "+name, file))
		}
		return nil
	})
	flag.Parse()
	if *only != "" && *folder != "" && *keep == "" {
		return errors.New("-write is for whole runs: not with -only, except of a run that -keep joins")
	}
	if *rounds < 1 || flag.NArg() > 0 {
		return errors.New("at least one round, and no arguments but flags")
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if err := hub.check(); err != nil {
		return err
	}
	if !netlab.Entered() && netlab.Available(netlab.Namespaces) != nil {
		code, err := netlab.EnterUserNamespace()
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d", code)
		}
		return err
	}
	dir, err := os.MkdirTemp("", "fathom-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if hub.wanted() {
		return hub.run(dir, *judge)
	}
	if _, err := exec.LookPath("iperf3"); err != nil {
		return fmt.Errorf("%w: sudo apt-get install iperf3", err)
	}
	programs, err := build(dir, *nebulaPath)
	if err != nil {
		return err
	}
	version := programs.nebula.version()
	r := newResults(circumstances{Commit: commit(), Machine: machine(version), Nebula: version, Rounds: *rounds, Length: *length})
	r.partial = *only != "" && *keep == ""
	if *keep != "" {
		if err := r.recall(*keep); err != nil {
			return err
		}
		if err := r.measuredBefore(programs, wanted); err != nil {
			return err
		}
	}
	for i := range scenes {
		if err := r.run(&scenes[i], programs, wanted); err != nil {
			return fmt.Errorf("%s: %w", scenes[i].name, err)
		}
	}
	if *keep != "" {
		if err := r.keep(*keep); err != nil {
			return err
		}
	}
	text, missed := r.markdown()
	fmt.Print(text)
	if *folder != "" {
		if err := os.WriteFile(filepath.Join(*folder, "benchmark.md"), []byte(text), 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(*folder, "benchmark.svg"), []byte(r.svg()), 0o644); err != nil {
			return err
		}
	}
	if *judge && missed > 0 {
		return fmt.Errorf("%d targets are not met", missed)
	}
	return nil
}
