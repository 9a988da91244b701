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

It reads the key files too, and changes nothing. Exit code: 0 when there is no
mistake, else 1.`,
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
