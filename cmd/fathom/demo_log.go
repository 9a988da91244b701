//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// tailLines is the number of lines that a tail keeps.
const tailLines = 12

// tail keeps the last lines of a log, to be shown after a failure. It is safe
// for concurrent use.
type tail struct {
	also io.Writer // also receives every line; may be nil

	mu      sync.Mutex // guards what follows
	lines   []string
	partial []byte
}

// maxLine is the length in bytes at which a line without an end is discarded.
const maxLine = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.partial = append(t.partial, p...)
	for {
		line, rest, ended := bytes.Cut(t.partial, []byte("\n"))
		if !ended {
			if len(t.partial) > maxLine {
				t.partial = t.partial[:0]
			}
			return len(p), nil
		}
		t.lines = append(t.lines, string(line))
		if len(t.lines) > tailLines {
			t.lines = t.lines[1:]
		}
		if t.also != nil {
			fmt.Fprintf(t.also, "%s\n", line)
		}
		t.partial = rest
	}
}

// String returns the lines, each indented.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, line := range t.lines {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	return b.String()
}

// tunnelLog returns where an end's log is shown while it is written: nil unless
// the demo is verbose.
func (d *demo) tunnelLog(e *end) io.Writer {
	if !d.verbose {
		return nil
	}
	return prefixed{d.log, e.name + ": "}
}

// prefixed puts a prefix before each line. Each Write is a line.
type prefixed struct {
	io.Writer
	prefix string
}

func (p prefixed) Write(line []byte) (int, error) {
	if _, err := io.WriteString(p.Writer, p.prefix+string(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}
