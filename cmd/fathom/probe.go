package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fathom/tunnel"
)

func newProbeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "probe PEER",
		Short: "Measure now how large a packet the path to a peer carries",
		Long: `Measure now how large a packet the path to a peer carries.

The running tunnel sends authenticated probes of several sizes at once, a fan,
and waits for their acks, until it knows the largest size that passes. Traffic
goes on meanwhile, at the size that the tunnel goes by. Sizes count the outer
IP header.

Exit code: 0 when the exact size was found, 3 when it was not, 4 when no tunnel
is running, 1 for any other error, 2 for a mistake on the command line.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return usageError(fmt.Errorf("%s instead of the name of a peer", plural(len(args), "argument")), "`fathom status` lists the peers")
		},
	}
	where := statusSocketFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		socket, err := where()
		if err != nil {
			return err
		}
		s, err := tunnel.FetchSounding(cmd.Context(), socket, args[0])
		if err != nil {
			return err
		}
		if err := printEither(cmd, *asJSON, s, soundingText(s)); err != nil {
			return err
		}
		if !s.Exact {
			return exitCode(exitPeerDown)
		}
		return nil
	}
	return cmd
}

// soundingText returns a sounding for people: a line for each probe, and what
// follows from them.
func soundingText(s *tunnel.Sounding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "path to %s at %s, egress mtu %d\n", s.Peer, s.Endpoint, s.EgressMTU)
	for _, p := range s.Probes {
		fmt.Fprintf(&b, "fan %d  %5d bytes  %s", p.Fan, p.Size, p.Outcome)
		if p.AfterMillis > 0 {
			fmt.Fprintf(&b, " after %.1f ms", p.AfterMillis)
		}
		b.WriteByte('\n')
	}
	exact := "exact"
	if !s.Exact {
		exact = "not settled: " + strings.ReplaceAll(s.State, "_", " ")
	}
	fmt.Fprintf(&b, "plpmtu %d (%s), inner mtu %d\n", s.PLPMTU, exact, s.InnerMTU)
	fmt.Fprintf(&b, "%s, %s, %.1f ms: in use after %.1f ms; rtt %.1f ms\n",
		plural(len(s.Probes), "probe"), plural(s.Fans, "fan"), s.TookMillis, s.ExactMillis, s.RTTMillis)
	if s.ClearsDF {
		b.WriteString("something on the path clears DF: probes arrived in fragments\n")
	}
	return b.String()
}
