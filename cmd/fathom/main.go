// Command fathom is a tunnel between Linux hosts: ESP in UDP, set up with one
// TOML file on each end. See `fathom --help`.
package main

import (
	"os"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:])) }

// run executes one command line and returns the exit code.
func run(args []string) int {
	root := newRootCommand()
	root.SetArgs(args)
	err := root.Execute()
	return report(root.ErrOrStderr(), err)
}

// defaultConfig is where every command looks for the configuration.
const defaultConfig = "/etc/fathom/fathom.toml"

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "fathom",
		Short: "A tunnel between Linux hosts: ESP in UDP, one TOML file on each end",
		// Errors and hints are printed by report, in one form.
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newUpCommand(), newCheckCommand(), newStatusCommand(),
		newInitCommand(), newGenkeyCommand(), newGenpskCommand(), newPubkeyCommand(),
		newDemoCommand(), newVersionCommand(),
	)
	return root
}

// configFlag adds the -c flag.
func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("config", "c", defaultConfig, "configuration `file`")
}
