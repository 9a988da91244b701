//go:build linux

package main

import (
	"os/exec"
	"testing"
)

// TestOverlayFits: the null cipher stands in for a file of the product, which
// may change without a thought of it.
func TestOverlayFits(t *testing.T) {
	overlay := overlayOf(t)
	for _, args := range [][]string{
		{"build", "-overlay", overlay, "-o", t.TempDir(), "fathom/cmd/fathom"},
		{"vet", "-overlay", overlay, "fathom/esp"},
	} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			t.Errorf("go %v: %v\n%s", args, err, out)
		}
	}
}

// TestOverlayTakesTheCipherAway: a build that encrypts after all would tell nothing of
// what the cipher costs. Only AES-GCM goes.
func TestOverlayTakesTheCipherAway(t *testing.T) {
	for _, c := range []struct {
		build string
		flags []string
		want  string
	}{
		{"with the overlay", []string{"-overlay", overlayOf(t)}, "aes-256-gcm: clear\nchacha20-poly1305: hidden\n"},
		{"as it is", nil, "aes-256-gcm: hidden\nchacha20-poly1305: hidden\n"},
	} {
		args := append(append([]string{"run"}, c.flags...), "./testdata/sealed")
		out, err := exec.Command("go", args...).CombinedOutput()
		if err != nil || string(out) != c.want {
			t.Errorf("%s: %v\n%s, want\n%s", c.build, err, out, c.want)
		}
	}
}

func overlayOf(t *testing.T) string {
	t.Helper()
	overlay, err := writeOverlay(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return overlay
}
