//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/tunnel/status"
)

// demo is the settings of `fathom demo` and its outputs.
type demo struct {
	size    byteSize
	seed    uint64
	verbose bool
	// duration is the least time that the transfer takes. 0 sends at full speed
	// and leaves the path unchanged.
	duration    time.Duration
	noDiscovery bool
	// page shows the tunnel of host a in a browser, and waits for one.
	page   bool
	asJSON bool
	done   bool // the result has been printed
	out    io.Writer
	log    io.Writer // of the tunnels, with verbose
}

func newDemoCommand() *cobra.Command {
	d := demo{size: 256 * humanize.MiByte}
	const usualDuration = 12 * time.Second
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Send data through a tunnel on this machine while the path MTU changes",
		Long: `Send data through a tunnel on this machine while the path MTU changes.

The demo builds two hosts with two routers between them, and runs ` + "`fathom up`" + ` on
each host with its own configuration file. It sends pseudo-random bytes through
the tunnel over TCP and compares the hashes. During the transfer the link
between the routers shrinks from 1500 bytes to 1400 and to 1000, and grows back.
No router reports it. On a terminal a picture shows the throughput and the PLPMTU
over time, and when the path changes; elsewhere, and with --verbose, each line is
one of a log.

The demo needs no root and no configuration. The hosts are network namespaces,
inside a user namespace unless root runs the demo. The machine stays unchanged.

Exit code: 0 when all bytes arrive unchanged, 1 for an error, 2 for a mistake on
the command line, 130 when interrupted.`,
		Args: noArguments,
	}
	cmd.Flags().Var(&d.size, "size", "bytes to send, such as 8MiB or 2GiB")
	cmd.Flags().Uint64Var(&d.seed, "seed", 1, "`number` that seeds the pseudo-random bytes")
	cmd.Flags().DurationVar(&d.duration, "duration", usualDuration, "spread the transfer over this `time`; 0s sends at full speed and leaves the path unchanged")
	cmd.Flags().BoolVar(&d.noDiscovery, "no-discovery", false, "show the stall without path MTU discovery")
	cmd.Flags().BoolVar(&d.page, "page", false, "show the tunnel in a browser: the transfer begins when the page is open, and it stays until Ctrl-C")
	cmd.Flags().BoolVar(&d.asJSON, "json", false, "print only the result, as JSON")
	cmd.Flags().BoolVarP(&d.verbose, "verbose", "v", false, "show the logs of both tunnels")
	cmd.MarkFlagsMutuallyExclusive("page", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		d.out, d.log = cmd.OutOrStdout(), cmd.ErrOrStderr()
		if d.duration < 0 {
			return usageError(fmt.Errorf("--duration is %v", d.duration), "0s or more, such as 12s")
		}
		if !netlab.Entered() && netlab.Available(netlab.Namespaces) != nil {
			// The child parses the same command line.
			code, err := d.enterUserNamespace()
			if err != nil {
				return explainMissing(err)
			}
			return exitCode(code)
		}
		if err := netlab.Available(netlab.Namespaces, netlab.TUN, netlab.Filters); err != nil {
			return explainMissing(err)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, unix.SIGTERM, unix.SIGHUP)
		defer stop()
		err := d.run(ctx)
		if ctx.Err() != nil && !d.done {
			note(cmd, "fathom: interrupted; nothing is left behind")
			if d.asJSON {
				if err := printJSON(cmd, status.Failure{Schema: status.ErrorSchema, Error: "interrupted", ExitCode: exitInterrupted}); err != nil {
					return err
				}
			}
			return exitCode(exitInterrupted)
		}
		return err
	}
	return cmd
}

// explainMissing turns each thing that the machine lacks into an error with a
// hint.
func explainMissing(err error) error {
	var list []error
	for _, err := range separate(err) {
		var missing *netlab.MissingError
		if errors.As(err, &missing) {
			err = withHint(fmt.Errorf("the demo cannot run here: %s: %w", missing.What, missing.Err), "%s", missing.Hint)
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

// run is the demo itself. The process must be allowed to make namespaces.
func (d *demo) run(ctx context.Context) (err error) {
	defer netlab.Catch(&err)
	lab, err := netlab.New()
	if err != nil {
		return err
	}
	defer lab.Close()
	dir, remove, err := demoPlace()
	if err != nil {
		return err
	}
	defer remove()

	path := buildPath(lab)
	d.say("two hosts with two routers between them, in network namespaces:\n\n%s", path.picture())

	path.r1.CutPTB(true)
	path.r2.CutPTB(true)
	a, b, err := configureEnds(dir, path, !d.noDiscovery, d.page)
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

// converse awaits both tunnels, transfers, prints the result and stops them.
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
	var page *demoPage
	if d.page {
		var err error
		if page, err = servePage(ctx, a.host); err != nil {
			return err
		}
		d.say("\nthe page of host a: %s\nthe transfer begins when it is open", page.url())
		if err := page.awaitReader(ctx); err != nil {
			return err
		}
	}
	d.say("\nsending %s of pseudo-random bytes (seed %d) from %s to %s over tcp", d.size, d.seed, a.inner, b.inner)
	wire := path.middle.A.Stats()
	result, err := d.transfer(ctx, path, a, b)
	if err != nil {
		return err
	}
	packets := path.middle.A.Stats().TxPackets - wire.TxPackets
	if err := d.conclude(ctx, result, a, b, packets); err != nil {
		return err
	}
	if d.done = true; page != nil {
		d.say("\nthe page stays until Ctrl-C: %s", page.url())
		<-ctx.Done()
		if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
			return err // a tunnel has ended
		}
	}
	for _, e := range []*end{a, b} {
		if err := e.stop(); err != nil {
			return err
		}
	}
	return nil
}

// conclude prints the measurements and returns an error if the transfer failed.
func (d *demo) conclude(ctx context.Context, r *transferResult, a, b *end, packets uint64) error {
	sent, err := a.peer(ctx)
	if err != nil {
		return err
	}
	received, err := b.peer(ctx)
	if err != nil {
		return err
	}
	if d.asJSON {
		if err := d.printJSON(r, sent, packets); err != nil {
			return err
		}
	}
	d.say("")
	d.say("%-20s %.2f s", "time", r.elapsed.Seconds())
	d.say("%-20s %.0f ms", "longest gap at b", float64(r.gap.Microseconds())/1000)
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
	for _, change := range sent.PMTUD.History {
		d.say("%-20s %d to %d: %s", "plpmtu", change.From, change.To, change.Cause)
	}
	d.say("%-20s %x", "sha-256, sent by a", r.sentHash)
	d.say("%-20s %x", "sha-256, got by b", r.receivedHash)
	if err := r.judge(uint64(d.size), received.RxBytes); err != nil {
		return err
	}
	d.say("all bytes have arrived unchanged")
	return nil
}

// explain prints the last lines of both logs and returns the cause of a failure.
func (d *demo) explain(ctx context.Context, err error, ends ...*end) error {
	// A tunnel that dies breaks the transfer before its own exit is noticed.
	select {
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(100 * time.Millisecond):
	}
	if errors.Is(err, context.Canceled) {
		return err // the user has interrupted the demo
	}
	for _, e := range ends {
		if tail := e.log.String(); tail != "" && !d.verbose {
			fmt.Fprintf(d.log, "the log of the tunnel on host %s ends with\n%s", e.name, tail)
		}
	}
	return withHint(err, "`fathom demo --verbose` shows the whole logs of both tunnels")
}

// patience returns how long the transfer may stand still. Without discovery the
// stall is expected, and is reported sooner.
func (d *demo) patience() time.Duration {
	if d.noDiscovery {
		return stallAfter / 4
	}
	return stallAfter
}

// demoResult is the output of --json.
type demoResult struct {
	Bytes         uint64                `json:"bytes"`
	Seconds       float64               `json:"seconds"`
	BitsPerSecond float64               `json:"bits_per_second"`
	LongestGapMs  float64               `json:"longest_gap_ms"` // at the receiver's application
	Packets       uint64                `json:"packets"`        // from router to router
	SHA256        string                `json:"sha256"`
	SHA256Sent    string                `json:"sha256_sent"`
	PLPMTU        []status.PLPMTUChange `json:"plpmtu_history"` // of host a
}

func (d *demo) printJSON(r *transferResult, a *status.Peer, packets uint64) error {
	data, err := json.MarshalIndent(demoResult{
		Bytes: r.received, Seconds: r.elapsed.Seconds(), BitsPerSecond: 8 * float64(r.received) / r.elapsed.Seconds(),
		LongestGapMs: float64(r.gap.Microseconds()) / 1000, Packets: packets,
		SHA256: fmt.Sprintf("%x", r.receivedHash), SHA256Sent: fmt.Sprintf("%x", r.sentHash), PLPMTU: a.PMTUD.History,
	}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.out, "%s\n", data)
	return err
}

// say prints a line, except with --json.
func (d *demo) say(format string, args ...any) {
	if d.asJSON {
		return
	}
	fmt.Fprintf(d.out, format+"\n", args...)
}
