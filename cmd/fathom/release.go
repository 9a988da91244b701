package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/tunnel"
)

func newReleaseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Give the host back as it was before a tunnel that has ended",
		Long: `Give the host back as it was before a tunnel that has ended.

A tunnel that was killed, or that was to hand its device over to a next one which
does not come, leaves guards: routes and rules that refuse packets for the peers.
They are removed, unless the configuration has on_stop = "block". Where nothing
was left, nothing is done.

Exit code: 0 when nothing is left, 1 when the tunnel runs, 78 for mistakes in the
configuration.`,
		Example: "  fathom release -c /etc/fathom/office.toml",
		Args:    noArguments,
	}
	path := configFlag(cmd)
	blocked := cmd.Flags().Bool("blocked", false, "also where the configuration has on_stop = \"block\"")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := conf.Load(*path)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), askWithin)
		defer cancel()
		found, _, err := running(ctx, []place{{cfg.Tunnel.StatusSocket, cfg}})
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return withHint(fmt.Errorf("tunnel %s is running", cfg.Tunnel.Name), "stop it first")
		}
		return tunnel.Release(cfg, *blocked)
	}
	return cmd
}
