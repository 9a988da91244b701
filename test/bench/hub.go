//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"fathom/test/crowd"
	"fathom/test/gateway"
	"fathom/test/hubload"
)

// hubFlags are the flags that measure a hub with many peers instead.
type hubFlags struct {
	sizes  string
	config hubload.Config
}

// fewPeers is the number of peers that the others are compared with.
const fewPeers = 10

func (f *hubFlags) define() {
	flag.StringVar(&f.sizes, "hub", "", "measure a hub with these `numbers` of peers instead, with commas between")
	flag.DurationVar(&f.config.Idle, "idle", 20*time.Second, "with -hub: how long to look at each state of the hub")
	flag.IntVar(&f.config.Routes, "routes", 100, "with -hub: foreign routes a second")
	flag.StringVar(&f.config.Binary, "fathom", "", "with -hub: measure this `file` instead of building the command")
}

// wanted reports whether a hub is to be measured.
func (f *hubFlags) wanted() bool { return f.sizes != "" }

// check reads the numbers of peers.
func (f *hubFlags) check() error {
	var other error
	flag.Visit(func(one *flag.Flag) {
		if ofHub := slices.Contains([]string{"hub", "idle", "routes", "fathom"}, one.Name); one.Name != "judge" && ofHub != f.wanted() {
			other = fmt.Errorf("-%s and -hub: one of them is for the other benchmark", one.Name)
		}
	})
	if other != nil || !f.wanted() {
		return other
	}
	if f.config.Idle <= 0 || f.config.Routes < 1 {
		return errors.New("-idle and -routes must be above 0")
	}
	f.config.Sizes = []int{fewPeers}
	for size := range strings.SplitSeq(f.sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < fewPeers || n > crowd.MaxPeers {
			return fmt.Errorf("-hub: %q is no number of peers from %d to %d", size, fewPeers, crowd.MaxPeers)
		}
		f.config.Sizes = append(f.config.Sizes, n)
	}
	slices.Sort(f.config.Sizes)
	f.config.Sizes = slices.Compact(f.config.Sizes)
	return nil
}

// crowdGCPercent has the simulated peers collect their garbage rarely: they share the
// processors with the hub that is measured.
const crowdGCPercent = 400

// run measures; dir is for its files.
func (f *hubFlags) run(dir string, judging bool) (err error) {
	if f.config.Binary == "" {
		if f.config.Binary, err = gateway.Build(dir, false); err != nil {
			return err
		}
	}
	debug.SetGCPercent(crowdGCPercent)
	missed, err := hubload.Run(os.Stdout, dir, f.config)
	if err == nil && judging && missed > 0 {
		err = fmt.Errorf("%d targets are not met", missed)
	}
	return err
}
