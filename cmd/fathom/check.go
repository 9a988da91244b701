package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"fathom/conf"
)

func newCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Report every mistake in a configuration with its line",
		Long: `Report every mistake in a configuration with its line.

The key files that it names are checked as well. Nothing is changed.

Exit code: 0 for no mistake, 78 for any.`,
		Example: "  fathom check /etc/fathom/office.toml",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return usageError(fmt.Errorf("unexpected argument %q", args[1]), "`%s --help` shows the usage", cmd.CommandPath())
			case len(args) == 1 && cmd.Flags().Changed("config"):
				return usageError(errors.New("-c and FILE exclude each other"), "omit one of them")
			}
			return nil
		},
		ValidArgsFunction: configFiles,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			*path = args[0]
		}
		cfg, err := conf.Load(*path)
		if err != nil {
			return err
		}
		return printf(cmd, "%s: ok, %s\n", cfg.Path, plural(len(cfg.Peers), "peer"))
	}
	return cmd
}
