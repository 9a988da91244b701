package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestEveryExitCodeIsDocumented compares docs/reference.md with the codes.
func TestEveryExitCodeIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Exit codes\n")
	_, got, _ := strings.Cut(section, "| --- | --- |\n")
	var want strings.Builder
	for _, e := range exitCodes {
		fmt.Fprintf(&want, "| %d | %s |\n", e.code, e.meaning)
	}
	if got != want.String() {
		t.Errorf("docs/reference.md has\n%s\nthe command\n%s", got, want.String())
	}
}
