package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"

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
the host may remain.

Exit code: 0 after one signal, 1 for an error, 2 for a mistake on the command line.`,
		Args: noArguments,
	}
	path := configFlag(cmd)
	levelName := cmd.Flags().String("log-level", "", "log `level`: debug, info, warn or error; overrides the configuration")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var level slog.Level
		if err := level.UnmarshalText([]byte(*levelName)); err != nil && *levelName != "" {
			return usageError(fmt.Errorf("unknown log level %q", *levelName), "one of debug, info, warn, error")
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
		t, err := tunnel.New(cfg, tunnel.Options{Logger: newLogger(cmd.ErrOrStderr(), level), Version: version()})
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, unix.SIGTERM)
		defer stop()
		// The first signal restores the default, so that the second one kills.
		context.AfterFunc(ctx, stop)
		return t.Run(ctx)
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
		return withHint(fmt.Errorf("%s: %w", aesGCMVariable, err), "one of %s", strings.Join(gcm.Implementations(), ", "))
	}
	return nil
}

// newLogger returns a logger of text lines. Lines for the systemd journal, which
// adds the time itself, have none.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if os.Getenv("JOURNAL_STREAM") != "" {
		options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(w, options))
}
