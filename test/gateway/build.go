package gateway

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// Build compiles the command into dir and returns the path of the binary. With
// race the binary watches itself for data races, and ends with exit code 66
// when it has seen one.
func Build(dir string, race bool) (string, error) {
	binary := filepath.Join(dir, "fathom")
	args := []string{"build", "-o", binary}
	if race {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "fathom/cmd/fathom")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the command: %w\n%s", err, out)
	}
	return binary, nil
}
