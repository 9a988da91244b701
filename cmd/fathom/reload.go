package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fathom/tunnel/status"
)

func newReloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload [NAME]",
		Short: "Have a running tunnel take in its configuration again",
		Long: `Have a running tunnel take in its configuration again. NAME is that of its
device; it may be left out where one tunnel runs.

Peers are added, removed and changed while it runs. Peers that have not changed
notice nothing. A file with mistakes changes nothing. Settings that need a
restart are named, and all others taken in; if it is one by which the routes of
all peers go (address, routes, fwmark, table, a default route in allowed_ips),
nothing is. SIGHUP does the same, and the log tells of it.

Exit code: 0 when the configuration is taken in, 1 when nothing is changed since
it needs a restart, 4 when no tunnel is running, 78 for mistakes.`,
		Example: "  sudo fathom reload\n  sudo fathom reload -c /etc/fathom/office.toml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError(fmt.Errorf("unexpected argument %q", args[1]), "`%s --help` shows the usage", cmd.CommandPath())
			}
			return nil
		},
	}
	where := requestSocketFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		socket, err := where(cmd.Context(), args)
		if err != nil {
			return err
		}
		report, err := status.Reload(cmd.Context(), socket)
		if err != nil {
			return err
		}
		return printReload(cmd, *asJSON, report)
	}
	return cmd
}

// requestSocketFlags adds the flags that locate the status socket of one tunnel. The
// returned function finds it, by the name of the device if there is one in args.
func requestSocketFlags(cmd *cobra.Command) func(ctx context.Context, args []string) (string, error) {
	all := statusSocketFlags(cmd)
	return func(ctx context.Context, args []string) (string, error) {
		places, err := all()
		if err != nil {
			return "", err
		}
		if len(places) == 1 && len(args) == 0 {
			return places[0].socket, nil
		}
		found, _, err := running(ctx, places)
		var names, sockets []string
		for _, s := range found {
			if names = append(names, s.Name); len(args) == 0 || s.Name == args[0] {
				sockets = append(sockets, s.socket)
			}
		}
		switch {
		case len(sockets) == 1:
			return sockets[0], nil
		case len(sockets) > 1:
			return "", usageError(fmt.Errorf("%s are running", plural(len(names), "tunnel")), "name one of %s", strings.Join(names, ", "))
		case err != nil:
			return "", err
		case len(args) > 0:
			return "", fmt.Errorf("%w on this host with the device %q", status.ErrNotRunning, args[0])
		}
		return "", notRunning(places)
	}
}

// printReload prints what a reload has changed; the error is for mistakes in the file.
func printReload(cmd *cobra.Command, asJSON bool, r *status.ReloadReport) error {
	if asJSON || len(r.Mistakes) == 0 {
		if err := printEither(cmd, asJSON, r, reloadText(r)); err != nil {
			return err
		}
	}
	if len(r.Mistakes) == 0 {
		return nil
	}
	if !asJSON {
		for _, m := range r.Mistakes {
			note(cmd, "%s", m)
		}
	}
	err := fmt.Errorf("%s in the configuration; nothing is changed", plural(len(r.Mistakes), "mistake"))
	return &hintedError{err, "", exitConfig}
}

// reloadText writes a report for people.
func reloadText(r *status.ReloadReport) string {
	var b strings.Builder
	for _, name := range r.Removed {
		fmt.Fprintf(&b, "peer %s: removed\n", name)
	}
	for _, p := range r.Changed {
		fmt.Fprintf(&b, "peer %s: %s\n", p.Peer, strings.Join(p.Keys, ", "))
	}
	for _, name := range r.Added {
		fmt.Fprintf(&b, "peer %s: added\n", name)
	}
	if len(r.Tunnel) > 0 {
		fmt.Fprintf(&b, "tunnel: %s\n", strings.Join(r.Tunnel, ", "))
	}
	if b.Len() == 0 {
		b.WriteString("nothing has changed\n")
	}
	if len(r.Restart) > 0 {
		fmt.Fprintf(&b, "needs a restart: %s\n", strings.Join(r.Restart, ", "))
	}
	return b.String()
}
