//go:build linux

package main

import (
	"os"
	"testing"

	"fathom/test/netlab"
)

func TestMain(m *testing.M) { os.Exit(netlab.Main(m)) }
