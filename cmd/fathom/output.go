package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"fathom/conf"
	"fathom/tunnel"
)

// What a person sees: data goes to stdout, all else to stderr. An error is one
// line "fathom: error: …", followed by "fathom: hint: …" where there is
// something to do about it. The mistakes of a configuration file are a line
// each, FILE:LINE: first, as compilers print them.

// Exit codes.
const (
	exitOK         = 0
	exitError      = 1
	exitUsage      = 2
	exitPeerDown   = 3 // status: the tunnel runs, but not every peer is up
	exitNotRunning = 4 // status: there is no tunnel
)

// exitCode is an error that says nothing but the exit code.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// hintError is an error with what to do about it.
type hintError struct {
	error
	hint string
}

func (e hintError) Unwrap() error { return e.error }

func withHint(err error, hint string) error { return hintError{err, hint} }

// report prints an error and returns the exit code for it.
func report(w io.Writer, err error) int {
	var code exitCode
	var mistakes conf.Errors
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			fmt.Fprintln(w, m)
		}
		fmt.Fprintf(w, "fathom: error: %s\n", plural(len(mistakes), "mistake")+" in the configuration")
		return exitError
	}
	fmt.Fprintf(w, "fathom: error: %v\n", err)
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(w, "fathom: hint: %s\n", hint)
	}
	if errors.Is(err, tunnel.ErrNotRunning) {
		return exitNotRunning
	}
	return exitError
}

// hintFor knows what to do about errors of other packages.
func hintFor(err error) string {
	var h hintError
	switch {
	case errors.As(err, &h):
		return h.hint
	case errors.Is(err, conf.ErrNoConfig):
		return "`fathom init` writes one; -c names another file"
	case errors.Is(err, tunnel.ErrNotRunning):
		return "`fathom up` starts it"
	case errors.Is(err, fs.ErrPermission):
		return "run as root, or as the owner of the file"
	}
	return ""
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
