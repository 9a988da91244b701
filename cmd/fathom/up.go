package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"fathom/conf"
	"fathom/esp/gcm"
	"fathom/tunnel"
)

func newUpCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the tunnel in the foreground",
		Long: `Run the tunnel in the foreground until SIGINT or SIGTERM. It logs to standard
error. A second signal ends it at once: the peers are not told, and changes to
the host may remain. SIGHUP has the configuration taken in again: see fathom reload.

A service manager that listens (sd_notify) is told when the device and the sockets
are open, how many peers are up, and that the tunnel is alive. With --hand-over it
keeps the TUN device, by its store of file descriptors, for the process that it
starts next, and the guards stay as well. When none follows, it has to run
"fathom release".

Exit code: 0 after one signal, 78 for mistakes in the configuration, 77 when this
user may not run a tunnel.`,
		Args: noArguments,
	}
	path := configFlag(cmd)
	levelName := cmd.Flags().String("log-level", "", "log `level`: debug, info, warn or error; overrides the configuration")
	cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions(logLevels, cobra.ShellCompDirectiveNoFileComp))
	handOver := cmd.Flags().Bool("hand-over", false, "have the service manager keep the TUN device for the next process")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		began := time.Now()
		var level slog.Level
		if err := level.UnmarshalText([]byte(*levelName)); err != nil && *levelName != "" {
			return usageError(fmt.Errorf("unknown log level %q", *levelName), "one of %s", strings.Join(logLevels, ", "))
		}
		cfg, err := conf.Load(*path)
		if err != nil {
			return err
		}
		if *levelName == "" {
			level = cfg.Tunnel.LogLevel
		}
		if err := useAESGCM(os.Getenv(aesGCMVariable)); err != nil {
			return err
		}
		levels := new(slog.LevelVar)
		levels.Set(level)
		setLevel := levels.Set
		if *levelName != "" {
			setLevel = nil // which overrides the configuration
		}
		log := newLogger(cmd.ErrOrStderr(), levels)
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, unix.SIGHUP)
		defer signal.Stop(hangups)
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, unix.SIGTERM)
		defer stop()
		// The first signal restores the default, so that the second one kills.
		context.AfterFunc(ctx, stop)
		var service sync.WaitGroup
		defer service.Wait()
		ctx, ended := context.WithCancel(ctx)
		defer ended()
		manager := newService(log)
		options := tunnel.Options{Logger: log, Version: version(), Reload: hangups, Reloading: manager.reloading, SetLevel: setLevel, Started: func(vitals *tunnel.Vitals) {
			service.Go(func() { manager.run(ctx, vitals) })
		}}
		if options.Store, err = storeFor(*handOver, log); err != nil {
			return err
		}
		t, err := tunnel.New(cfg, options)
		if err != nil {
			return err
		}
		prepareFor(len(cfg.Peers))
		if err = t.Run(ctx); err != nil {
			restBeforeRestart(ctx, began)
		}
		return err
	}
	return cmd
}

// aesGCMVariable of the environment names an implementation of AES-GCM instead of the
// fastest one: "standard" excludes Fathom's own.
const aesGCMVariable = "FATHOM_AES_GCM"

// useAESGCM chooses an implementation of AES-GCM by its name, the fastest one by none.
func useAESGCM(name string) error {
	if name == "" {
		return nil
	}
	if err := gcm.Use(name); err != nil {
		return configError(fmt.Errorf("%s: %w", aesGCMVariable, err), "one of %s", strings.Join(gcm.Implementations(), ", "))
	}
	return nil
}

// newLogger returns a logger of text lines.
func newLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	if onJournal(w) {
		return slog.New(newJournalHandler(w, level))
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
