package conf

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoConfig reports that the configuration file does not exist; `fathom
// init` writes one.
var ErrNoConfig = errors.New("no configuration file")

// Error is one mistake in a configuration file.
type Error struct {
	File    string
	Line    int    // from 1
	Column  int    // from 1, in bytes
	Key     string // such as "tunnel.address"; empty if no key is concerned
	Problem string // the mistake
	Hint    string // the right form; may be empty
}

// Error returns FILE:LINE: KEY: PROBLEM (HINT).
func (e *Error) Error() string {
	text := fmt.Sprintf("%s:%d: ", e.File, e.Line)
	if e.Key != "" {
		text += e.Key + ": "
	}
	if text += e.Problem; e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Errors are all the mistakes of a file, one or more, in the order of lines.
type Errors []*Error

// Error returns one line for each mistake.
func (list Errors) Error() string {
	lines := make([]string, len(list))
	for i, e := range list {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}
