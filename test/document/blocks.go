package document

import (
	"fmt"
	"os"
	"strings"
)

// Block is an indented block of a document: commands, a file, or what a command prints.
type Block struct {
	Heading string // the line of the nearest heading above it, such as "## Two networks"
	Text    string // without the indentation
}

// All returns all blocks of a document.
func All(path string) (blocks []Block, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	heading, section := "", ""
	end := func() {
		for _, text := range indented(section) {
			blocks = append(blocks, Block{heading, text})
		}
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			end()
			heading, section = strings.TrimSpace(line), ""
			continue
		}
		section += line
	}
	end()
	return blocks, nil
}

// Blocks returns the texts of the blocks of a section, those below its subheadings
// included. The heading is a whole line.
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
	return indented(section), nil
}

// indented returns the indented blocks of a text without their indentation. Empty lines
// do not end a block.
func indented(text string) (blocks []string) {
	margin, empty := "", "" // of the open block; empty lines that may be in it
	for line := range strings.Lines(text) {
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
	return blocks
}
