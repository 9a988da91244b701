package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:])) }

// run executes one command line and returns the exit code.
func run(args []string) int {
	root, out := newRootCommand(), &countedOutput{File: os.Stdout}
	root.SetOut(out)
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	var silent exitCode
	if err != nil && !errors.As(err, &silent) && out.n == 0 && wantsJSON(cmd, args) {
		if failed := printJSON(cmd, failure(err)); failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return report(root.ErrOrStderr(), err)
}

// moreCommands are those that a build tag adds.
var moreCommands []func() *cobra.Command

// defaultConfig is where every command looks for the configuration.
const defaultConfig = "/etc/fathom/fathom.toml"

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "fathom",
		Short: "A tunnel between Linux hosts: ESP in UDP, one TOML file on each end",
		Long: `A tunnel between Linux hosts: ESP in UDP, one TOML file on each end.

See it work, and set it up:

  fathom demo
  fathom init, then fathom check, then fathom up

Exit codes, the same for all commands:

` + exitCodeTable(),
		Version: version(),
		// report prints all errors and hints.
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// knownCommand makes the suggestion itself.
		DisableSuggestions:         true,
		SuggestionsMinimumDistance: 2,
	}
	root.SetVersionTemplate("fathom {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(err, "`%s --help` lists the flags", cmd.CommandPath())
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newUpCommand(), newReleaseCommand(), newCheckCommand(), newStatusCommand(), newHistoryCommand(), newProbeCommand(), newWaitCommand(), newDoctorCommand(),
		newReloadCommand(), newRotateCommand(),
		newInitCommand(), newImportCommand(), newGenkeyCommand(), newGenpskCommand(), newPubkeyCommand(),
		newDemoCommand(), newVersionCommand(),
	)
	for _, more := range moreCommands {
		root.AddCommand(more())
	}
	return root
}

// knownCommand is the Args of the root. cobra calls it with arguments only if
// the first of them is no subcommand.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		return usageError(err, "did you mean `fathom %s`?", near[0])
	}
	return usageError(err, "`fathom --help` lists the commands")
}

// noArguments is the Args of a subcommand without arguments.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError(fmt.Errorf("unexpected argument %q", args[0]), "`%s --help` shows the usage", cmd.CommandPath())
}

// configFlag adds the -c flag.
func configFlag(cmd *cobra.Command) *string {
	path := cmd.Flags().StringP("config", "c", defaultConfig, "configuration `file`")
	cmd.MarkFlagFilename("config", "toml")
	return path
}
