package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"fathom/conf"
	"fathom/tunnel/status"
)

// Exit codes. Every command keeps to them, so a script or a service manager can
// tell what to do without reading a message. 77 and 78 are those of sysexits(3).
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitPeerDown    = 3
	exitNotRunning  = 4
	exitNoPeer      = 5
	exitFindings    = 6
	exitPermission  = 77
	exitConfig      = 78
	exitInterrupted = 130
)

// exitCodes are all of them and what they mean, as `fathom --help` lists them.
var exitCodes = []struct {
	code    int
	meaning string
}{
	{exitOK, "success"},
	{exitError, "an error that may pass: a new attempt makes sense"},
	{exitUsage, "a mistake on the command line"},
	{exitPeerDown, "a peer is not up, does not answer in time, or could not be measured"},
	{exitNotRunning, "no tunnel is running there"},
	{exitNoPeer, "the tunnel has no peer of that name"},
	{exitFindings, "something is amiss, and the doctor says what"},
	{exitPermission, "this user may not do that"},
	{exitConfig, "mistakes in a configuration, or none there: a new attempt makes no sense"},
	{exitInterrupted, "the demo was interrupted"},
}

// exitCodeTable returns exitCodes as lines of text.
func exitCodeTable() string {
	var b strings.Builder
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.meaning)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// exitCode is an error that sets the exit code and prints nothing.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitCodeOf returns the exit code that belongs to an error.
func exitCodeOf(err error) int {
	var code exitCode
	var hinted *hintedError
	var mistakes conf.Errors
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &hinted) && hinted.code != 0:
		return hinted.code
	case errors.As(err, &mistakes), errors.Is(err, conf.ErrNoConfig):
		return exitConfig
	case errors.Is(err, status.ErrNotRunning):
		return exitNotRunning
	case errors.Is(err, status.ErrNoPeer):
		return exitNoPeer
	case errors.Is(err, status.ErrNoAnswer):
		return exitPeerDown
	case errors.Is(err, fs.ErrPermission):
		return exitPermission
	}
	return exitError
}
