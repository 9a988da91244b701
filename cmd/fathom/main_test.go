package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// actAsFathom in the environment makes this test program the command itself.
const actAsFathom = "FATHOM_TEST_COMMAND"

// commandEnv is what to add to the environment of this program as the command.
// The race detector otherwise makes every exit wait for a second.
var commandEnv = []string{actAsFathom + "=1", "GORACE=atexit_sleep_ms=0"}

func TestMain(m *testing.M) {
	if os.Getenv(actAsFathom) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"fathom": main})
}
