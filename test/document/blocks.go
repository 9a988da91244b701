package document

import (
	"fmt"
	"os"
	"strings"
)

// Blocks returns the indented blocks of a section without their indentation. Empty lines
// do not end a block. The heading is a whole line, such as "## Two networks".
func Blocks(path, heading string) (blocks []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, section, ok := strings.Cut("\n"+string(text), "\n"+heading+"\n")
	if !ok {
		return nil, fmt.Errorf("%s has no section %q", path, heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	section, _, _ = strings.Cut(section, "\n"+level+" ")
	margin, empty := "", "" // of the open block; empty lines that may be in it
	for line := range strings.Lines(section) {
		if margin != "" && line == "\n" {
			empty += line
			continue
		}
		if margin == "" || !strings.HasPrefix(line, margin) {
			if margin, empty = line[:len(line)-len(strings.TrimLeft(line, " "))], ""; len(margin) < 4 {
				margin = ""
				continue
			}
			blocks = append(blocks, "")
		}
		blocks[len(blocks)-1] += empty + line[len(margin):]
		empty = ""
	}
	return blocks, nil
}
