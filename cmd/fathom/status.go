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

The PLPMTU is the size of the largest packet sent to the peer, with its outer IP
header. The inner MTU is the size of the largest packet inside the tunnel that
fits into one such packet. The transfer counts packets inside the tunnel and
their bytes.

A peer that can be reached by several pairs of addresses has a line for each: the
interface, the address of this end, and the peer's address and port. The one in
use has an asterisk. "heard" marks a pair that this host does not offer: the peer
has sent by it. A pair is unknown, tried, proved (it has answered in the last 30
seconds), stale (longer ago, which is no fault without data) or failed.

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

// statusSocketFlags adds the flags that locate the status socket of the running
// tunnel. The returned function returns its path.
func statusSocketFlags(cmd *cobra.Command) func() (string, error) {
	path := configFlag(cmd)
	socket := cmd.Flags().String("socket", "", "`path` of the tunnel's status socket, instead of -c")
	return func() (string, error) {
		if *socket != "" && cmd.Flags().Changed("config") {
			return "", usageError(errors.New("-c and --socket exclude each other"), "omit one of them")
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
