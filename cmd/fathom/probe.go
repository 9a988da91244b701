package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fathom/tunnel/status"
)

func newProbeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "probe PEER",
		Short: "Measure the path MTU to a peer now, or find the router that swallows packets",
		Long: `Measure the path MTU to a peer now.

The running tunnel sends fans of authenticated probes: several sizes at once. It
repeats this until it knows the largest size whose probe is acknowledged.
Traffic continues meanwhile at the PLPMTU in use. Sizes include the outer IP
header.

With --hops it finds the router that swallows packets. Probes of several sizes
leave with rising TTL (IPv6: hop limit), so that each router in turn answers.
For each it shows the size of the largest packet that got there, and what it says
about larger ones. The peer is asked to do the same for the other direction. An
asterisk is a router that never answers.

Exit code: 0 when the exact size was found or, with --hops, the peer was
reached, 3 when not, 4 when no tunnel is running, 5 when it has no such peer.`,
		Example: "  fathom probe storage\n  fathom probe storage --hops -r",
		Args:    onePeer,
	}
	where := statusSocketFlags(cmd)
	cmd.ValidArgsFunction = peerNames(where)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	hops := cmd.Flags().Bool("hops", false, "find the router that swallows packets, in both directions")
	names := cmd.Flags().BoolP("resolve", "r", false, "with --hops: look up the names of routers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *names && !*hops {
			return usageError(errors.New("--resolve without --hops"), "`fathom probe PEER --hops -r` shows the names of routers")
		}
		places, err := where()
		if err != nil {
			return err
		}
		socket, err := tunnelOf(cmd.Context(), places, args[0])
		if err != nil {
			return err
		}
		if *hops {
			return probeHops(cmd, socket, args[0], *names, *asJSON)
		}
		r, err := status.Probe(cmd.Context(), socket, args[0])
		if err != nil {
			return err
		}
		if err := printEither(cmd, *asJSON, r, probeText(r)); err != nil {
			return err
		}
		if !r.Exact {
			return exitCode(exitPeerDown)
		}
		return nil
	}
	return cmd
}

// probeText returns a probe report as text: a line for each probe, then the
// result.
func probeText(r *status.ProbeReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "path to %s at %s, egress mtu %d\n", r.Peer, r.Endpoint, r.EgressMTU)
	for _, p := range r.Probes {
		fmt.Fprintf(&b, "fan %d  %5d bytes  %s", p.Fan, p.Size, p.Outcome)
		if p.AfterMillis > 0 {
			fmt.Fprintf(&b, " after %.1f ms", p.AfterMillis)
		}
		b.WriteByte('\n')
	}
	exact := "exact"
	if !r.Exact {
		exact = "not settled: " + strings.ReplaceAll(r.State, "_", " ")
	}
	fmt.Fprintf(&b, "plpmtu %d (%s), inner mtu %d\n", r.PLPMTU, exact, r.InnerMTU)
	fmt.Fprintf(&b, "%s, %s, %.1f ms: in use after %.1f ms; rtt %.1f ms\n",
		plural(len(r.Probes), "probe"), plural(r.Fans, "fan"), r.TookMillis, r.ExactMillis, r.RTTMillis)
	if r.ClearsDF {
		b.WriteString("something on the path clears DF: probes arrived in fragments\n")
	}
	return b.String()
}
