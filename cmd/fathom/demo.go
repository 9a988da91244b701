package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// demo is what the flags of `fathom demo` ask for, and where it prints.
type demo struct {
	size    byteSize
	seed    uint64
	verbose bool
	out     io.Writer
	log     io.Writer // of the tunnels, with verbose
}

func newDemoCommand() *cobra.Command {
	d := demo{size: 256 * mebibyte}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Two hosts, two routers and a tunnel, on this machine and without root",
		Long: `Build two hosts with two routers between them, on this machine; start a tunnel
on each host, as ` + "`fathom up`" + ` with a configuration file of its own; send a file's
worth of bytes through the tunnel over TCP, and compare the hashes.

It needs no root and no configuration: the hosts are network namespaces, inside
a user namespace when it is not run as root. Nothing on this machine is changed,
and nothing is left behind.

Exit code: 0 when all bytes have arrived unchanged, else 1; 130 when interrupted.`,
		Args: noArguments,
	}
	cmd.Flags().Var(&d.size, "size", "how much to send, such as 8MiB or 2GiB")
	cmd.Flags().Uint64Var(&d.seed, "seed", 1, "what the pseudo-random bytes are made from, a `number`")
	cmd.Flags().BoolVarP(&d.verbose, "verbose", "v", false, "show what the tunnels log")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		d.out, d.log = cmd.OutOrStdout(), cmd.ErrOrStderr()
		if !netlab.Entered() && netlab.Available(netlab.Namespaces) != nil {
			// The child parses the same command line.
			code, err := netlab.EnterUserNamespace()
			if err != nil {
				return explainMissing(err)
			}
			return exitCode(code)
		}
		if err := netlab.Available(netlab.Namespaces, netlab.TUN); err != nil {
			return explainMissing(err)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, unix.SIGTERM, unix.SIGHUP)
		defer stop()
		err := d.run(ctx)
		if ctx.Err() != nil {
			note(cmd, "fathom: interrupted, and tidied up")
			return exitCode(exitInterrupted)
		}
		return err
	}
	return cmd
}

// explainMissing words what the machine does not grant.
func explainMissing(err error) error {
	var list []error
	for _, err := range separate(err) {
		var missing *netlab.MissingError
		if errors.As(err, &missing) {
			err = withHint(fmt.Errorf("the demo needs what this machine does not grant: %s: %w", missing.What, missing.Err), "%s", missing.Hint)
		}
		list = append(list, err)
	}
	return errors.Join(list...)
}

// Time limits of the demo's steps.
const (
	establishWithin = 15 * time.Second
	stopWithin      = 5 * time.Second
)

// run is the demo itself, in a place where namespaces can be made.
func (d *demo) run(ctx context.Context) (err error) {
	defer netlab.Catch(&err)
	lab, err := netlab.New()
	if err != nil {
		return err
	}
	defer lab.Close()
	dir, err := shortTempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	path := buildPath(lab)
	d.say("two hosts with two routers between them, in network namespaces:\n\n%s", path.picture())

	a, b, err := configureEnds(dir, path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	for _, e := range []*end{a, b} {
		if err := e.start(d.tunnelLog(e), cancel); err != nil {
			return err
		}
		defer e.kill()
		d.say("host %s: fathom up -c %s", e.name, e.config)
	}
	if err := d.converse(ctx, path, a, b, began); err != nil {
		return d.explain(ctx, err, a, b)
	}
	return nil
}

// converse is what the demo does while both tunnels run.
func (d *demo) converse(ctx context.Context, path *labPath, a, b *end, began time.Time) error {
	for _, e := range []*end{a, b} {
		peer, err := e.awaitEstablished(ctx)
		if err != nil {
			return err
		}
		if e == a {
			d.say("established after %.2f s: %s, plpmtu %d, inner mtu %d",
				time.Since(began).Seconds(), peer.Cipher, peer.PMTUD.PLPMTU, peer.PMTUD.InnerMTU)
		}
	}
	d.say("\nsending %s of pseudo-random bytes (seed %d) from %s to %s over tcp", d.size, d.seed, a.inner, b.inner)
	wire := path.middle.A.Stats()
	result, err := d.transfer(ctx, a, b)
	if err != nil {
		return err
	}
	packets := path.middle.A.Stats().TxPackets - wire.TxPackets
	if err := d.conclude(ctx, result, a, b, packets); err != nil {
		return err
	}
	for _, e := range []*end{a, b} {
		if err := e.stop(); err != nil {
			return err
		}
	}
	return nil
}

// conclude prints what was measured, and judges it.
func (d *demo) conclude(ctx context.Context, r *transferResult, a, b *end, packets uint64) error {
	sent, err := a.peer(ctx)
	if err != nil {
		return err
	}
	received, err := b.peer(ctx)
	if err != nil {
		return err
	}
	d.say("")
	d.say("%-20s %.2f s", "time", r.elapsed.Seconds())
	d.say("%-20s %s", "throughput", rate(r.received, r.elapsed))
	d.say("%-20s %s in %d packets", "into the tunnel", byteSize(sent.TxBytes), sent.TxPackets)
	d.say("%-20s %s in %d packets", "out of the tunnel", byteSize(received.RxBytes), received.RxPackets)
	d.say("%-20s %d packets", "from r1 to r2", packets)
	for _, e := range []struct {
		name  string
		drops map[string]uint64
	}{{"dropped by a", sent.Dropped}, {"dropped by b", received.Dropped}} {
		if len(e.drops) > 0 {
			d.say("%-20s %s", e.name, counters(e.drops))
		}
	}
	d.say("%-20s %x", "sha-256, sent by a", r.sentHash)
	d.say("%-20s %x", "sha-256, got by b", r.receivedHash)
	if err := r.judge(uint64(d.size), received.RxBytes); err != nil {
		return err
	}
	d.say("all bytes have arrived unchanged")
	return nil
}

// explain prints the end of both logs, and returns the cause of a failure.
func (d *demo) explain(ctx context.Context, err error, ends ...*end) error {
	// The death of a tunnel is noticed a moment after what it entails.
	select {
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(100 * time.Millisecond):
	}
	if errors.Is(err, context.Canceled) {
		return err // by the user, who wants no explanation
	}
	for _, e := range ends {
		if tail := e.log.String(); tail != "" && !d.verbose {
			fmt.Fprintf(d.log, "the log of the tunnel on host %s ends with\n%s", e.name, tail)
		}
	}
	return withHint(err, "`fathom demo --verbose` shows all that the tunnels log")
}

// say prints a line.
func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, format+"\n", args...)
}
