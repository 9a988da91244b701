package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// actAsFathom in the environment makes this test program the command itself.
// The demo's tests need it: the demo starts its tunnels as /proc/self/exe, a
// name by which package testscript does not know the command.
const actAsFathom = "FATHOM_TEST_COMMAND"

// noRaceDelay keeps the race detector from delaying every exit by a second.
const noRaceDelay = "GORACE=atexit_sleep_ms=0"

// commandEnv is the environment in which this test program acts as the command.
var commandEnv = []string{actAsFathom + "=1", noRaceDelay}

func TestMain(m *testing.M) {
	if os.Getenv(actAsFathom) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"fathom": main})
}
