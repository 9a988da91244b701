package main

import (
	"cmp"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/tunnel/status"
)

func newStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the running tunnels and their peers",
		Long: `Show the state of the running tunnels and their peers.

Without -c and --socket all tunnels of this host are shown: those with a socket
in ` + conf.SocketDir + `, and those of the configurations in
` + filepath.Dir(defaultConfig) + `.

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
running.`,
		Example: "  fathom status\n  fathom status -c /etc/fathom/office.toml --json",
		Args:    noArguments,
	}
	where := statusSocketFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON: a list, and one object with -c or --socket")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		places, err := where()
		if err != nil {
			return err
		}
		tunnels, _, err := running(cmd.Context(), places)
		if len(tunnels) == 0 {
			return cmp.Or(err, notRunning(places))
		}
		one := cmd.Flags().Changed("config") || cmd.Flags().Changed("socket")
		if err := printTunnels(cmd, tunnels, *asJSON, one); err != nil {
			return err
		}
		if err != nil {
			return err // of another tunnel
		}
		for _, t := range tunnels {
			if !t.Up() {
				return exitCode(exitPeerDown)
			}
		}
		return nil
	}
	return cmd
}

// printTunnels prints what is known of tunnels, as text or as JSON: a list, or with one
// the object itself.
func printTunnels(cmd *cobra.Command, tunnels []tunnelStatus, asJSON, one bool) error {
	texts, documents := make([]string, len(tunnels)), make([]*status.Status, len(tunnels))
	for i, t := range tunnels {
		texts[i], documents[i] = statusText(t.Status, time.Now()), t.Status
	}
	var document any = documents
	if one {
		document = documents[0]
	}
	return printEither(cmd, asJSON, document, strings.Join(texts, "\n"))
}
