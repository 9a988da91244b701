package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"fathom/conf"
	"fathom/tunnel/status"
)

// What a person sees. What was asked for goes to stdout, all else to stderr.
// An error is one line in lower case, "fathom: error: …", followed by
// "fathom: hint: …" where there is something to do about it. The mistakes of a
// configuration file are a line each with FILE:LINE: first, as compilers print
// them. The tunnel of `fathom up` speaks through log/slog. Nothing is
// coloured; the demo's progress line is the one thing that looks different on
// a terminal.

// Exit codes.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitPeerDown    = 3   // status: the tunnel runs, but not every peer is up
	exitNotRunning  = 4   // status: there is no tunnel
	exitInterrupted = 130 // demo: by SIGINT, as a shell has it
)

// exitCode is an error that says nothing but the exit code.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// hintedError is an error with what to do about it.
type hintedError struct {
	error
	hint string
	code int
}

func (e *hintedError) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...), exitError}
}

// usageError is a mistake on the command line.
func usageError(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...), exitUsage}
}

// printf prints what the user has asked for. Its error matters: the output may
// be a key that is written to a full disk.
func printf(cmd *cobra.Command, format string, args ...any) error {
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), format, args...); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// note prints what goes with it, on stderr.
func note(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
}

// report prints an error and returns the exit code for it.
func report(w io.Writer, err error) int {
	var code exitCode
	var mistakes conf.Errors
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			fmt.Fprintln(w, m)
		}
		fmt.Fprintf(w, "fathom: error: %s in the configuration\n", plural(len(mistakes), "mistake"))
		return exitError
	}
	for _, err := range separate(err) {
		fmt.Fprintf(w, "fathom: error: %v\n", err)
		if hint := hintFor(err); hint != "" {
			fmt.Fprintf(w, "fathom: hint: %s\n", hint)
		}
	}
	var hinted *hintedError
	switch {
	case errors.As(err, &hinted):
		return hinted.code
	case errors.Is(err, status.ErrNotRunning):
		return exitNotRunning
	}
	return exitError
}

// separate takes errors.Join apart.
func separate(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// hintFor knows what to do about errors of other packages.
func hintFor(err error) string {
	var hinted *hintedError
	switch {
	case errors.As(err, &hinted):
		return hinted.hint
	case errors.Is(err, conf.ErrNoConfig):
		return "`fathom init` writes one; -c names another file"
	case errors.Is(err, status.ErrNotRunning):
		return "`fathom up` starts it"
	case errors.Is(err, fs.ErrPermission):
		return "run as root, or as the owner of the file"
	}
	return ""
}

// onTerminal reports whether w is a terminal.
func onTerminal(w io.Writer) bool {
	file, ok := w.(interface{ Fd() uintptr })
	if !ok {
		return false
	}
	return term.IsTerminal(int(file.Fd()))
}

// plural prints a count of things.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printEither prints a value as JSON, or as the text for people.
func printEither(cmd *cobra.Command, asJSON bool, value any, text string) error {
	if asJSON {
		data, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			return err
		}
		text = string(data) + "\n"
	}
	return printf(cmd, "%s", text)
}
