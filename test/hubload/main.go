//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hubload:", err)
		os.Exit(1)
	}
}

func run() error {
	sizes := flag.String("peers", "100,1000,3000", "numbers of peers, with commas between")
	idle := flag.Duration("idle", 20*time.Second, "how long to look at an idle hub, and at one with foreign routes")
	routes := flag.Int("routes", 100, "foreign routes a second")
	binary := flag.String("fathom", "", "measure this `file` instead of building the command")
	judging := flag.Bool("judge", false, "exit with 1 when a target is not met")
	flag.Parse()
	if flag.NArg() > 0 {
		return errors.New("no arguments but flags")
	}
	if !netlab.Entered() && netlab.Available(netlab.Namespaces) != nil {
		code, err := netlab.EnterUserNamespace()
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d", code)
		}
		return err
	}
	dir, err := os.MkdirTemp("", "fathom-hubload")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *binary == "" {
		if *binary, err = gateway.Build(dir, false); err != nil {
			return err
		}
	}
	missed := 0
	for _, size := range strings.Split(*sizes, ",") {
		peers, err := strconv.Atoi(size)
		if err != nil {
			return fmt.Errorf("-peers: %w", err)
		}
		at := filepath.Join(dir, size)
		if err := os.Mkdir(at, 0o700); err != nil {
			return err
		}
		measured, err := measure(*binary, at, peers, *routes, *idle)
		if err != nil {
			return fmt.Errorf("%d peers: %w", peers, err)
		}
		missed += judge(os.Stdout, peers, measured)
	}
	if *judging && missed > 0 {
		return fmt.Errorf("%d targets are not met", missed)
	}
	return nil
}
