//go:build documents

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"fathom/conf"
)

// With the build tag documents the command has one more: it writes the manual pages and
// the completions for shells, which are made from the commands. The tag keeps what
// that takes out of the binary that people run.

func init() { moreCommands = append(moreCommands, newDocumentsCommand) }

func newDocumentsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "documents DIR",
		Short:  "Write manual pages and completions below a directory",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE:   func(cmd *cobra.Command, args []string) error { return writeDocuments(cmd.Root(), args[0]) },
	}
}

// writeDocuments writes man5, man8, bash, zsh and fish. SOURCE_DATE_EPOCH is the date in the
// manual pages, so that the same commands give the same bytes.
func writeDocuments(root *cobra.Command, dir string) error {
	for _, d := range []string{"man5", "man8", "bash", "zsh", "fish"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	root.DisableAutoGenTag = true
	asMarkdown(root)
	example := conf.Template(conf.DefaultName, filepath.Join(filepath.Dir(defaultConfig), privateKeyFile), "that `fathom init` prints")
	if err := os.WriteFile(filepath.Join(dir, "fathom.toml"), example, 0o644); err != nil {
		return err
	}
	page := md2man.Render(configurationPage(string(example)))
	if err := os.WriteFile(filepath.Join(dir, "man5", "fathom.toml.5"), page, 0o644); err != nil {
		return err
	}
	header := &doc.GenManHeader{Title: "FATHOM", Section: "8", Source: "Fathom", Manual: "System Administration"}
	if err := doc.GenManTree(root, header, filepath.Join(dir, "man8")); err != nil {
		return err
	}
	if err := root.GenBashCompletionFileV2(filepath.Join(dir, "bash", "fathom"), true); err != nil {
		return err
	}
	if err := root.GenZshCompletionFile(filepath.Join(dir, "zsh", "_fathom")); err != nil {
		return err
	}
	return root.GenFishCompletionFile(filepath.Join(dir, "fish", "fathom.fish"), true)
}

// asMarkdown marks the lines of the help that are indented as text to be left as it is.
func asMarkdown(cmd *cobra.Command) {
	cmd.Long = indented(cmd.Long, "  ")
	for _, c := range cmd.Commands() {
		asMarkdown(c)
	}
}

// indented indents the lines with a prefix far enough for Markdown's code.
func indented(text, prefix string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			b.WriteString("    ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// configurationPage is the manual page of the configuration, which explains itself.
func configurationPage(example string) []byte {
	return fmt.Appendf(nil, `%% "FATHOM.TOML" "5" "" "Fathom" "File Formats"
# NAME

fathom.toml - configuration of one end of a Fathom tunnel

# DESCRIPTION

The file is TOML. It has one table [tunnel] and a table [[peer]] for each peer. fathom-check(8) reports every mistake with its line.
fathom-init(8) writes the file below, which explains each key. The unit fathom@NAME runs %s/NAME.toml.

%s
# SEE ALSO

fathom(8), fathom-check(8), fathom-init(8)
`, filepath.Dir(defaultConfig), indented(example, ""))
}
