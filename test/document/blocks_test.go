package document

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "document.md")
	text := `# A

    not this

## One

1. Do:

       first
         indented
   and then

       second

* a point
  that goes on

    third

      indented

## Two

    fourth
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for heading, want := range map[string][]string{
		"## One": {"first\n  indented\n", "second\n", "third\n\n  indented\n"},
		"## Two": {"fourth\n"},
	} {
		if got, err := Blocks(path, heading); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", heading, got, err)
		}
	}
	if _, err := Blocks(path, "## Three"); err == nil {
		t.Error("a section that is not there has blocks")
	}
}
