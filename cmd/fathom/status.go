package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
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

A peer that is not up has the last attempt to reach it, and why that came to nothing.

With --watch the status is shown again and again, in place on a terminal.

Exit code: 0 when every peer is up, 3 when one is not, 4 when no tunnel is
running.`,
		Example: "  fathom status\n  fathom status -c /etc/fathom/office.toml --json",
		Args:    noArguments,
	}
	where := statusSocketFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON: a list, and one object with -c or --socket")
	every := watchFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("watch") {
			tunnels, err := askTunnels(cmd.Context(), where)
			if len(tunnels) > 0 {
				err = errors.Join(printTunnels(cmd, tunnels, *asJSON, onePlace(cmd)), err)
			}
			return cmp.Or(err, upOrNot(tunnels))
		}
		return watch(cmd.Context(), cmd.OutOrStdout(), *every, func() (string, error) {
			tunnels, err := askTunnels(cmd.Context(), where)
			if !*asJSON {
				return tunnelsText(tunnels) + "\n", err
			}
			document := tunnelDocument(tunnels, onePlace(cmd))
			if err != nil && len(tunnels) == 0 {
				document = failure(err)
			}
			line, err := json.Marshal(document)
			return string(line) + "\n", err
		})
	}
	return cmd
}

// askTunnels returns the tunnels that run where it is told to look. The error is that of
// another one, or says that there is none.
func askTunnels(ctx context.Context, where func() ([]place, error)) ([]tunnelStatus, error) {
	places, err := where()
	if err != nil {
		return nil, err
	}
	tunnels, _, err := running(ctx, places)
	if len(tunnels) == 0 {
		err = cmp.Or(err, notRunning(places))
	}
	return tunnels, err
}

// upOrNot returns the exit code of a peer that is not up, if there is one.
func upOrNot(tunnels []tunnelStatus) error {
	for _, t := range tunnels {
		if !t.Up() {
			return exitCode(exitPeerDown)
		}
	}
	return nil
}

// printTunnels prints what is known of tunnels, as text or as JSON.
func printTunnels(cmd *cobra.Command, tunnels []tunnelStatus, asJSON, one bool) error {
	return printEither(cmd, asJSON, tunnelDocument(tunnels, one), tunnelsText(tunnels))
}

func tunnelsText(tunnels []tunnelStatus) string {
	texts := make([]string, len(tunnels))
	for i, t := range tunnels {
		texts[i] = statusText(t.Status, time.Now())
	}
	return strings.Join(texts, "\n")
}

// tunnelDocument is a list, or with one the object itself.
func tunnelDocument(tunnels []tunnelStatus, one bool) any {
	documents := make([]*status.Status, len(tunnels))
	for i, t := range tunnels {
		documents[i] = t.Status
	}
	if one && len(documents) > 0 {
		return documents[0]
	}
	return documents
}
