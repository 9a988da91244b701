//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	t.Run("only the last lines are kept", func(t *testing.T) {
		var log tail
		for i := range tailLines + 5 {
			fmt.Fprintf(&log, "line %d\n", i)
		}
		got := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
		if len(got) != tailLines || got[0] != "    line 5" || got[tailLines-1] != fmt.Sprintf("    line %d", tailLines+4) {
			t.Errorf("kept %q", got)
		}
	})
	t.Run("a line may come in pieces, and several at once", func(t *testing.T) {
		var shown strings.Builder
		log := tail{also: prefixed{&shown, "a: "}}
		for _, piece := range []string{"on", "e\ntwo\nth", "ree\n", "no end"} {
			if n, err := log.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		if got, want := log.String(), "    one\n    two\n    three\n"; got != want {
			t.Errorf("kept %q, want %q", got, want)
		}
		if got, want := shown.String(), "a: one\na: two\na: three\n"; got != want {
			t.Errorf("shown %q, want %q", got, want)
		}
	})
	t.Run("a line without an end does not fill the memory", func(t *testing.T) {
		var log tail
		for range 100 {
			log.Write(make([]byte, maxLine/10))
			if len(log.partial) > maxLine {
				t.Fatalf("%d bytes are kept", len(log.partial))
			}
		}
	})
}
