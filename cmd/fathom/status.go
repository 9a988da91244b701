package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/tunnel/status"
)

func newStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the running tunnel and its peers",
		Long: `Show the state of the running tunnel and its peers.

Sizes: the PLPMTU is the largest packet that goes to the peer, counted with its
outer IP header; the inner MTU is the largest packet inside the tunnel that
fits one such packet. Transfer counts bytes of packets inside the tunnel.

Exit code: 0 when every peer is up, 3 when one is not, 4 when no tunnel is
running, 1 for any other error, 2 for a mistake on the command line.`,
		Args: noArguments,
	}
	where := statusSocketFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		socket, err := where()
		if err != nil {
			return err
		}
		s, err := status.Fetch(cmd.Context(), socket)
		if err != nil {
			return err
		}
		if err := printEither(cmd, *asJSON, s, statusText(s, time.Now())); err != nil {
			return err
		}
		if !s.Up() {
			return exitCode(exitPeerDown)
		}
		return nil
	}
	return cmd
}

// statusSocketFlags adds the flags that say where the running tunnel answers.
// The returned function says where.
func statusSocketFlags(cmd *cobra.Command) func() (string, error) {
	path := configFlag(cmd)
	socket := cmd.Flags().String("socket", "", "status socket of the tunnel, a `path`; instead of -c")
	return func() (string, error) {
		if *socket != "" && cmd.Flags().Changed("config") {
			return "", usageError(errors.New("-c and --socket both say where to ask"), "leave one of them out")
		}
		if *socket != "" {
			return *socket, nil
		}
		cfg, err := conf.Load(*path)
		if err != nil {
			return "", err
		}
		return cfg.Tunnel.StatusSocket, nil
	}
}
