package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/tunnel/status"
)

// place is where a tunnel of this host may be asked.
type place struct {
	socket string
	config *conf.Config // nil: not known
}

// mayHave reports whether the tunnel there, if it runs, may have a peer.
func (p place) mayHave(peer string) bool {
	return p.config == nil || slices.ContainsFunc(p.config.Peers, func(c conf.Peer) bool { return c.Name == peer })
}

// statusSocketFlags adds the flags that locate the status sockets of tunnels. The
// returned function returns one place with either flag, else those of all tunnels of
// this host.
func statusSocketFlags(cmd *cobra.Command) func() ([]place, error) {
	path := cmd.Flags().StringP("config", "c", "", "configuration `file` of the tunnel; without it, all tunnels of this host")
	socket := cmd.Flags().String("socket", "", "`path` of the tunnel's status socket, instead of -c")
	cmd.MarkFlagFilename("config", "toml")
	cmd.MarkFlagFilename("socket", "sock")
	return func() ([]place, error) {
		switch {
		case *socket != "" && *path != "":
			return nil, usageError(errors.New("-c and --socket exclude each other"), "omit one of them")
		case *socket != "":
			return []place{{socket: *socket}}, nil
		case *path != "":
			cfg, err := conf.Load(*path)
			if err != nil {
				return nil, err
			}
			return []place{{cfg.Tunnel.StatusSocket, cfg}}, nil
		}
		return findPlaces(filepath.Dir(defaultConfig), conf.SocketDir)
	}
}

// findPlaces returns the places of the configurations in one folder, and of the status
// sockets in another. A configuration that this user may not read, or that has
// mistakes, adds none.
func findPlaces(etc, run string) (places []place, err error) {
	configs, err := filepath.Glob(filepath.Join(etc, "*.toml"))
	if err != nil {
		return nil, err
	}
	sockets, err := filepath.Glob(filepath.Join(run, "*.sock"))
	if err != nil {
		return nil, err
	}
	for _, path := range configs {
		if cfg, err := conf.Load(path); err == nil {
			places = append(places, place{cfg.Tunnel.StatusSocket, cfg})
		}
	}
	for _, socket := range sockets {
		if !slices.ContainsFunc(places, func(p place) bool { return p.socket == socket }) {
			places = append(places, place{socket: socket})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return strings.Compare(a.socket, b.socket) })
	return places, nil
}

// tunnelStatus is the status of a running tunnel and where it was asked for.
type tunnelStatus struct {
	place
	*status.Status
}

// running asks the tunnels at several places for their status. idle are the places where
// none runs; a tunnel that has crashed leaves its socket behind. The error is that of a
// place with any other trouble.
func running(ctx context.Context, places []place) (found []tunnelStatus, idle []place, err error) {
	var errs []error
	for _, p := range places {
		s, err := status.Fetch(ctx, p.socket)
		switch {
		case err == nil:
			found = append(found, tunnelStatus{p, s})
		case errors.Is(err, status.ErrNotRunning):
			idle = append(idle, p)
		default:
			errs = append(errs, err)
		}
	}
	return found, idle, errors.Join(errs...)
}

// notRunning is the error where no tunnel runs.
func notRunning(places []place) error {
	if len(places) == 1 {
		return fmt.Errorf("%w at %s", status.ErrNotRunning, places[0].socket)
	}
	return fmt.Errorf("%w on this host", status.ErrNotRunning)
}

// tunnelOf returns the socket of the one tunnel that has the peer. The error matches
// status.ErrNotRunning if a tunnel that does not run may have it, else
// status.ErrNoPeer if none has.
func tunnelOf(ctx context.Context, places []place, peer string) (socket string, err error) {
	if len(places) == 1 && places[0].mayHave(peer) {
		return places[0].socket, nil // the tunnel will say whether it has
	}
	found, idle, err := running(ctx, places)
	var have []string
	for _, s := range found {
		if slices.ContainsFunc(s.Peers, func(p status.Peer) bool { return p.Name == peer }) {
			have = append(have, s.socket)
		}
	}
	switch {
	case len(have) == 1:
		return have[0], nil
	case len(have) > 1:
		return "", usageError(fmt.Errorf("several tunnels have a peer %q", peer), "choose one with --socket: %s", strings.Join(have, ", "))
	case err != nil:
		return "", err
	case len(places) == 0 || slices.ContainsFunc(idle, func(p place) bool { return p.mayHave(peer) }):
		return "", notRunning(places)
	case len(places) == 1:
		return "", fmt.Errorf("%w: %q", status.ErrNoPeer, peer)
	}
	return "", fmt.Errorf("%w: %q, in any tunnel of this host", status.ErrNoPeer, peer)
}

// onePeer is the Args of a command about one peer.
func onePeer(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return usageError(fmt.Errorf("%s instead of the name of a peer", plural(len(args), "argument")), "`fathom status` lists the peers")
}
