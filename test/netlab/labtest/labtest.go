//go:build linux

// Package labtest opens laboratories for tests.
//
// It decides what a missing privilege means: with CI=true in the environment
// the test fails, else it is skipped, and says what is missing either way.
package labtest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fathom/test/netlab"
	"fathom/test/tier"
)

// New opens a laboratory that is closed when the test ends, and in which every
// failed step ends the test. The features named are required (see Require);
// without any, all are.
func New(tb testing.TB, features ...netlab.Feature) *netlab.Lab {
	tb.Helper()
	Require(tb, features...)
	lab, err := netlab.New(netlab.OnFailure(func(err error) {
		tb.Helper()
		tb.Fatal(err)
	}))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := lab.Close(); err != nil {
			tb.Errorf("close the laboratory: %v", err)
		}
	})
	return lab
}

// Require skips the test, or with CI=true fails it, when the machine does not
// grant the features (all, when none is named).
func Require(tb testing.TB, features ...netlab.Feature) {
	tb.Helper()
	tier.Laboratory(tb)
	if len(features) == 0 {
		features = netlab.Everything
	}
	for _, f := range features {
		if err := available(f); err != nil {
			Missing(tb, err)
		}
	}
}

// Missing ends the test for want of something, such as a program: skipped, or
// failed with CI=true. err says how to get it.
func Missing(tb testing.TB, err error) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf("missing (CI=true makes this a failure): %v", err)
	}
	tb.Skipf("missing: %v", err)
}

var (
	mu    sync.Mutex
	tried = make(map[netlab.Feature]error)
)

// available tries a feature once.
func available(f netlab.Feature) error {
	mu.Lock()
	defer mu.Unlock()
	err, ok := tried[f]
	if !ok {
		err = netlab.Available(f)
		tried[f] = err
	}
	return err
}

// Capture records an interface until the test ends. When the test has failed
// and FATHOM_PCAP_DIR is set, the packets are written there as a pcap file.
func Capture(tb testing.TB, i *netlab.Interface) *netlab.Capture {
	tb.Helper()
	c := i.Capture()
	tb.Cleanup(func() {
		c.Stop()
		dir := os.Getenv("FATHOM_PCAP_DIR")
		if dir == "" || !tb.Failed() {
			return
		}
		name := strings.NewReplacer("/", "-", " ", "_").Replace(tb.Name() + "." + i.String() + ".pcap")
		path := filepath.Join(dir, name)
		if err := c.WriteFile(path); err != nil {
			tb.Logf("keep the capture: %v", err)
			return
		}
		tb.Logf("packets of %s: %s", i, path)
	})
	return c
}
