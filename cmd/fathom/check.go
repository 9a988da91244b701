package main

import (
	"github.com/spf13/cobra"

	"fathom/conf"
)

func newCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report every mistake in the configuration with its line",
		Long: `Report every mistake in the configuration with its line.

The key files are checked as well. Nothing is changed.

Exit code: 0 for no mistake, 1 for any, 2 for a mistake on the command line.`,
		Args: noArguments,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := conf.Load(*path)
		if err != nil {
			return err
		}
		return printf(cmd, "%s: ok, %s\n", cfg.Path, plural(len(cfg.Peers), "peer"))
	}
	return cmd
}
