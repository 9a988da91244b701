//go:build linux

package gateway

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// Build compiles the command into dir and returns the path of the binary. With
// race the binary watches itself for data races, and ends with exit code 66
// when it has seen one. More flags are those of go build.
func Build(dir string, race bool, flags ...string) (string, error) {
	binary := filepath.Join(dir, "fathom")
	args := append([]string{"build", "-o", binary}, flags...)
	if race {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "fathom/cmd/fathom")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the command: %w\n%s", err, out)
	}
	return binary, nil
}
