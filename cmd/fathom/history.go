package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fathom/tunnel"
	"fathom/tunnel/status"
)

func newHistoryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history [PEER]",
		Short: "Show what happened: throughput, changes of the path, outages",
		Long: `Show what happened: the throughput to a peer, the PLPMTU, and events such as
outages, along a time line.

The history is kept across restarts: see history_file in the configuration. Where
the tunnel does not run, or has crashed, it is read from there.

The traffic is that inside the tunnel. A column shows the mean of its time, and the
smallest PLPMTU that was in use. Marks:

` + markTable() + `

Exit code: 0 when there is a history, 4 when no tunnel is running and none was kept,
5 when the tunnel has no such peer.`,
		Example: "  fathom history storage\n  fathom history storage --since 7d\n  fathom history --since 12h --json -c /etc/fathom/office.toml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) <= 1 {
				return nil
			}
			return onePeer(cmd, args)
		},
	}
	where := statusSocketFlags(cmd)
	since := span(24 * time.Hour)
	cmd.Flags().Var(&since, "since", "how far back: a `time` such as 90m, 24h or 7d")
	asJSON := cmd.Flags().Bool("json", false, "print JSON: a list, and one object with -c or --socket")
	cmd.ValidArgsFunction = peerNames(where)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		places, err := where()
		if err != nil {
			return err
		}
		q := status.HistoryQuery{Peer: strings.Join(args, ""), Since: time.Duration(since)}
		found, err := histories(cmd.Context(), places, q)
		if err != nil {
			return err
		}
		screen := screenOf(cmd.OutOrStdout())
		var texts []string
		for _, h := range found {
			for _, peer := range h.Peers {
				texts = append(texts, historyText(h, peer, screen))
			}
		}
		var document any = found
		if onePlace(cmd) {
			document = found[0]
		}
		return printEither(cmd, *asJSON, document, strings.Join(texts, "\n"))
	}
	return cmd
}

// onePlace reports whether the command line names one tunnel.
func onePlace(cmd *cobra.Command) bool {
	return cmd.Flags().Changed("config") || cmd.Flags().Changed("socket")
}

// histories returns what the tunnels at several places remember, or have left behind in
// their files. Those without the peer that is asked for are left out; without any, the
// error says why.
func histories(ctx context.Context, places []place, q status.HistoryQuery) (found []*status.History, err error) {
	var errs []error
	idle := len(places) == 0
	for _, p := range places {
		h, err := status.FetchHistory(ctx, p.socket, q)
		if errors.Is(err, status.ErrNotRunning) {
			h, err = storedHistory(p, q)
			idle = idle || errors.Is(err, status.ErrNotRunning)
		}
		switch {
		case err != nil && !errors.Is(err, status.ErrNotRunning):
			errs = append(errs, err)
		case err == nil:
			found = append(found, h)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	// A tunnel that has the peer and cannot be asked says more than one that has none.
	slices.SortStableFunc(errs, func(a, b error) int { return rank(a) - rank(b) })
	if len(errs) > 0 && (!idle || rank(errs[0]) == 0) {
		return nil, errs[0]
	}
	return nil, notRunning(places)
}

func rank(err error) int {
	if errors.Is(err, status.ErrNoPeer) {
		return 1
	}
	return 0
}

// storedHistory reads the file of a tunnel that does not run. The error matches
// status.ErrNotRunning if that is not known, or holds nothing.
func storedHistory(p place, q status.HistoryQuery) (*status.History, error) {
	if q.Peer != "" && !p.mayHave(q.Peer) {
		return nil, fmt.Errorf("%w: %q", status.ErrNoPeer, q.Peer)
	}
	if p.config == nil || p.config.Tunnel.HistoryFile == "" {
		return nil, notRunning([]place{p})
	}
	var peers []string
	for _, c := range p.config.Peers {
		if q.Peer == "" || q.Peer == c.Name {
			peers = append(peers, c.Name)
		}
	}
	h, err := tunnel.StoredHistory(p.config.Tunnel.HistoryFile, q, peers, time.Now())
	switch {
	case err != nil:
		return nil, err
	case len(h.Records) == 0:
		return nil, notRunning([]place{p})
	}
	h.Name = p.config.Tunnel.Name
	return h, nil
}

// span is a time that people write with a unit, days included.
type span time.Duration

// String prints the time as Set reads it.
func (s span) String() string {
	d := time.Duration(s)
	for unit, name := range map[time.Duration]string{time.Hour: "h", time.Minute: "m"} {
		if d%unit == 0 && (unit == time.Hour || d%time.Hour != 0) {
			return fmt.Sprintf("%d%s", d/unit, name)
		}
	}
	return d.String()
}

// Set reads the value of a flag.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		d = time.Duration(n * float64(24*time.Hour))
	}
	if err != nil || d < time.Minute || d > maxSince {
		return errors.New("want a time from 1m to 3660d, such as 90m, 24h or 7d")
	}
	*s = span(d)
	return nil
}

// maxSince is more than any history holds.
const maxSince = 3660 * 24 * time.Hour

// Type is what the help shows.
func (*span) Type() string { return "time" }
