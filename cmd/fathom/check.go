package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"fathom/conf"
)

func newCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report every mistake in the configuration with its line",
		Args:  cobra.NoArgs,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := conf.Load(*path)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: ok, %s\n", cfg.Path, plural(len(cfg.Peers), "peer"))
		return nil
	}
	return cmd
}
