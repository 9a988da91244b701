package tun

import (
	"os"
	"testing"

	"fathom/test/netlab"
)

func TestMain(m *testing.M) { os.Exit(netlab.Main(m)) }
