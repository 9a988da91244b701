package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/tunnel/doctor"
	"fathom/tunnel/inspect"
	"fathom/tunnel/status"
)

func newDoctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor [PEER]",
		Short: "Find what is amiss with the tunnel and its host, and what to do about it",
		Long: `Find what is amiss with the tunnel and its host, and what to do about it.

It looks at the host: the TUN device, sockets, routes, firewall, IPsec policies. A
tunnel that runs is asked for its state, and has its peers tell how they are set up:
allowed_ips that do not fit each other are found so. Where it does not run, the
host alone is looked at. Nothing is changed.

Run it as root: what it could not look at it lists. docs/doctor.md explains each
finding.

Exit code: 0 when nothing was found, 6 when something was, 5 when the tunnel has no
such peer, 78 when the configuration has mistakes or is not there.`,
		Example: "  fathom doctor\n  fathom doctor storage -c /etc/fathom/office.toml --json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) <= 1 {
				return nil
			}
			return onePeer(cmd, args)
		},
	}
	path := configFlag(cmd)
	cmd.ValidArgsFunction = peerNames(func() ([]place, error) { return placeOf(*path) })
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		places, err := placeOf(*path)
		if err != nil {
			return err
		}
		d, err := diagnose(cmd.Context(), places[0], strings.Join(args, ""))
		if err != nil {
			return err
		}
		if err := printEither(cmd, *asJSON, d, diagnosisText(d)); err != nil {
			return err
		}
		if len(d.Findings) > 0 {
			return exitCode(exitFindings)
		}
		return nil
	}
	return cmd
}

// placeOf returns the one place of the configuration at path.
func placeOf(path string) ([]place, error) {
	cfg, err := conf.Load(path)
	if err != nil {
		return nil, err
	}
	return []place{{cfg.Tunnel.StatusSocket, cfg}}, nil
}

// diagnose examines the tunnel at a place, whose configuration is known, and its host.
func diagnose(ctx context.Context, at place, peer string) (*status.Diagnosis, error) {
	if peer != "" && !at.mayHave(peer) {
		return nil, fmt.Errorf("%w: %q", status.ErrNoPeer, peer)
	}
	d := &status.Diagnosis{Schema: status.DoctorSchema, Name: at.config.Tunnel.Name, Unexamined: []status.Unexamined{}}
	c := &doctor.Case{Peer: peer, Config: at.config, Facts: make(map[string]*status.FactsReport)}
	s, err := status.Fetch(ctx, at.socket)
	switch {
	case errors.Is(err, status.ErrNotRunning):
	case errors.Is(err, fs.ErrPermission):
		return nil, err
	case err != nil:
		c.Silent = true
		d.Unexamined = append(d.Unexamined, status.Unexamined{What: "the running tunnel", Why: err.Error()})
	default:
		c.Status, d.Running = s, true
		d.Unexamined = append(d.Unexamined, askPeers(ctx, at.socket, c)...)
	}
	seen, unexamined := inspect.Host(ctx, at.config, c.Status)
	c.Host, d.Unexamined = seen, append(d.Unexamined, unexamined...)
	d.Findings = doctor.Judge(c)
	return d, ctx.Err()
}

const (
	// askAtOnce is how many peers are asked at once, and askPeersFor for how long all of
	// them.
	askAtOnce   = 8
	askPeersFor = 15 * time.Second
)

// askPeers has the peers that are up tell how they are set up. It returns those that do not.
func askPeers(ctx context.Context, socket string, c *doctor.Case) (silent []status.Unexamined) {
	ctx, cancel := context.WithTimeoutCause(ctx, askPeersFor, fmt.Errorf("%w of all peers within %v: name one", status.ErrNoAnswer, askPeersFor))
	defer cancel()
	var mu sync.Mutex
	var questions sync.WaitGroup
	free := make(chan struct{}, askAtOnce)
	for _, p := range c.Status.Peers {
		if p.State != status.PeerEstablished || c.Peer != "" && c.Peer != p.Name {
			continue
		}
		free <- struct{}{}
		questions.Go(func() {
			defer func() { <-free }()
			facts, err := status.Facts(ctx, socket, p.Name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				silent = append(silent, status.Unexamined{What: "how " + p.Name + " is set up", Why: err.Error()})
				return
			}
			c.Facts[p.Name] = facts
		})
	}
	questions.Wait()
	return silent
}

// diagnosisText returns a diagnosis as text.
func diagnosisText(d *status.Diagnosis) string {
	var b strings.Builder
	state := "the tunnel runs"
	if !d.Running {
		state = "no tunnel answers here, so the host alone was looked at"
	}
	count := "nothing is amiss"
	if n := len(d.Findings); n > 0 {
		count = plural(n, "finding")
	}
	fmt.Fprintf(&b, "%s: %s; %s\n", d.Name, count, state)
	for _, f := range d.Findings {
		about := ""
		if f.Peer != "" {
			about = "peer " + f.Peer + ": "
		}
		fmt.Fprintf(&b, "\n%s: %s%s\n  remedy: %s\n", f.Code, about, f.What, f.Remedy)
	}
	if len(d.Unexamined) > 0 {
		b.WriteString("\nnot looked at:\n")
	}
	for _, u := range d.Unexamined {
		fmt.Fprintf(&b, "  %s: %s\n", u.What, u.Why)
	}
	return b.String()
}
