//go:build linux

package main

import (
	"os/exec"
	"testing"
)

// TestOverlayFits: the null cipher stands in for a file of the product, which
// may change without a thought of it.
func TestOverlayFits(t *testing.T) {
	overlay, err := writeOverlay(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"build", "-overlay", overlay, "-o", t.TempDir(), "fathom/cmd/fathom"},
		{"vet", "-overlay", overlay, "fathom/esp"},
	} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			t.Errorf("go %v: %v\n%s", args, err, out)
		}
	}
}
