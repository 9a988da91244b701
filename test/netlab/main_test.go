//go:build linux

package netlab_test

import (
	"os"
	"testing"

	"fathom/test/netlab"
)

// ordinaryUser is set when this program is to act as an ordinary user's.
const ordinaryUser = "NETLAB_TEST_ORDINARY_USER"

func TestMain(m *testing.M) {
	if os.Getenv(ordinaryUser) != "" {
		os.Exit(asOrdinaryUser())
	}
	if os.Getenv(asksKernel) != "" {
		os.Exit(askKernel())
	}
	os.Exit(netlab.Main(m))
}
