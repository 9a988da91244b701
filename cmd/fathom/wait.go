package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fathom/tunnel/status"
)

func newWaitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wait PEER",
		Short: "Wait until a peer answers",
		Long: `Wait until a peer answers, and succeed at once if it does.

The running tunnel asks the peer now. An answer from before does not count. A
peer that is lost is called again meanwhile. A tunnel that does not run yet is
waited for, too.

Exit code: 0 when the peer has answered, 3 when it has not within the time, 4
when no tunnel was running until then, 5 when the tunnel has no such peer.`,
		Example: "  fathom wait storage --timeout 2m && start-the-backup",
		Args:    onePeer,
	}
	where := statusSocketFlags(cmd)
	timeout := cmd.Flags().Duration("timeout", 2*time.Minute, "how `long` to wait at most")
	quiet := cmd.Flags().BoolP("quiet", "q", false, "print nothing when the peer answers")
	cmd.ValidArgsFunction = peerNames(where)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *timeout <= 0 {
			return usageError(fmt.Errorf("--timeout is %v", *timeout), "a positive duration, such as 2m")
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), *timeout)
		defer cancel()
		began := time.Now()
		answer, err := awaitPeer(ctx, where, args[0])
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w within %v", err, *timeout)
		}
		if err != nil || *quiet {
			return err
		}
		return printf(cmd, "%s at %s answers after %.1f s, rtt %.1f ms\n", answer.Peer, answer.Endpoint, time.Since(began).Seconds(), answer.RTTMillis)
	}
	return cmd
}

// knockEvery is the pause before a tunnel is asked again that does not run, or has
// given up on the peer.
const knockEvery = 200 * time.Millisecond

// awaitPeer waits for the tunnel that where locates, and has it ask the peer until
// that answers. When ctx ends, the error is the reason why there is no answer yet.
func awaitPeer(ctx context.Context, where func() ([]place, error), peer string) (*status.EchoReport, error) {
	for {
		answer, err := askPeer(ctx, where, peer)
		switch {
		case err == nil:
			return answer, nil
		case errors.Is(err, status.ErrNotRunning), errors.Is(err, status.ErrShutdown), errors.Is(err, status.ErrNoAnswer):
		case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
			return nil, whyNot(context.WithoutCancel(ctx), where, peer)
		default:
			return nil, err
		}
		select {
		case <-time.After(knockEvery):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// whyNot returns why there was no answer until the time was up: whether the tunnel runs.
func whyNot(ctx context.Context, where func() ([]place, error), peer string) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	places, err := where()
	if err != nil {
		return err
	}
	if found, _, err := running(ctx, places); len(found) == 0 && err == nil {
		return notRunning(places)
	}
	return fmt.Errorf("%w of peer %s", status.ErrNoAnswer, peer)
}

// askPeer has the tunnel ask the peer, for as long as one request takes.
func askPeer(ctx context.Context, where func() ([]place, error), peer string) (*status.EchoReport, error) {
	places, err := where()
	if err != nil {
		return nil, err
	}
	socket, err := tunnelOf(ctx, places, peer)
	if err != nil {
		return nil, err
	}
	return status.Echo(ctx, socket, peer)
}
