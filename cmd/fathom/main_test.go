package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// noRaceDelay keeps the race detector from delaying every exit by a second.
const noRaceDelay = "GORACE=atexit_sleep_ms=0"

// TestMain makes this program the command itself where it is started by the name
// of the command.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fathom": main})
}
