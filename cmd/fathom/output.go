package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"fathom/conf"
	"fathom/tunnel/status"
)

// Rules for output. Results go to stdout, everything else to stderr. An error
// is one line in lower case, "fathom: error: …". A line "fathom: hint: …"
// follows if the user can do something about it. Each mistake in a
// configuration file is a line that begins with FILE:LINE:, as compilers print
// them. `fathom up` logs through log/slog. With --json a command that fails prints
// JSON as well, unless it has printed some: status.Failure. Terminals alone get
// colours, the demo's progress line, and pictures that are drawn in place.

// hintedError is an error with a hint for the user.
type hintedError struct {
	error
	hint string
	code int // 0: that of error
}

func (e *hintedError) Unwrap() error { return e.error }

// withHint adds a hint to an error.
func withHint(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...), 0}
}

// usageError returns the error for a mistake on the command line.
func usageError(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...), exitUsage}
}

// configError returns the error for a mistake in what configures a tunnel beside its
// file. A service manager does not try again.
func configError(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...), exitConfig}
}

// printf prints a result. Its error matters: the result may be a key on its way
// to a full disk.
func printf(cmd *cobra.Command, format string, args ...any) error {
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), format, args...); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// note prints a remark to stderr.
func note(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
}

// countedOutput is standard output, and counts what is written to it.
type countedOutput struct {
	*os.File
	n int64
}

func (c *countedOutput) Write(data []byte) (int, error) {
	n, err := c.File.Write(data)
	c.n += int64(n)
	return n, err
}

// wantsJSON reports whether a command was asked for JSON, even where a mistake on the
// command line has kept its flags from being read.
func wantsJSON(cmd *cobra.Command, args []string) bool {
	flag := cmd.Flags().Lookup("json")
	return flag != nil && (flag.Value.String() == "true" || slices.Contains(args, "--json"))
}

// failure is the document of an error.
func failure(err error) status.Failure {
	f := status.Failure{Schema: status.ErrorSchema, Error: err.Error(), ExitCode: exitCodeOf(err)}
	for _, err := range separate(err) {
		if hint := hintFor(err); hint != "" && f.Hint == "" {
			f.Hint = hint
		}
	}
	return f
}

// failureText is an error as report prints it.
func failureText(err error) string {
	var b strings.Builder
	report(&b, err)
	return b.String()
}

// report prints an error and returns its exit code.
func report(w io.Writer, err error) int {
	var code exitCode
	var mistakes conf.Errors
	switch {
	case err == nil || errors.As(err, &code):
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			fmt.Fprintln(w, m)
		}
		fmt.Fprintf(w, "fathom: error: %s in the configuration\n", plural(len(mistakes), "mistake"))
	default:
		for _, err := range separate(err) {
			fmt.Fprintf(w, "fathom: error: %v\n", err)
			if hint := hintFor(err); hint != "" {
				fmt.Fprintf(w, "fathom: hint: %s\n", hint)
			}
		}
	}
	return exitCodeOf(err)
}

// separate returns the errors that errors.Join has joined.
func separate(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// hintFor returns the hint of an error, which may come from another package.
func hintFor(err error) string {
	var hinted *hintedError
	switch {
	case errors.As(err, &hinted):
		return hinted.hint
	case errors.Is(err, conf.ErrNoConfig):
		return "`fathom init` writes one; -c names another file"
	case errors.Is(err, status.ErrNotRunning):
		return "`fathom up` starts it, or `systemctl start fathom@NAME`"
	case errors.Is(err, status.ErrRestart):
		return "`systemctl restart fathom@NAME` takes it in; until then all is as before"
	case errors.Is(err, status.ErrNoPeer):
		return "`fathom status` lists the peers"
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

// plural returns a count and its noun: "1 peer", "2 peers".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printEither prints a value as JSON, or its text.
func printEither(cmd *cobra.Command, asJSON bool, value any, text string) error {
	if asJSON {
		return printJSON(cmd, value)
	}
	return printf(cmd, "%s", text)
}

// printJSON prints a value as JSON.
func printJSON(cmd *cobra.Command, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return printf(cmd, "%s\n", data)
}
