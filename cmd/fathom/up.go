package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"fathom/conf"
	"fathom/tunnel"
)

func newUpCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the tunnel in the foreground",
		Long: `Run the tunnel in the foreground until SIGINT or SIGTERM, and log to standard
error. A second signal ends it at once, without a word to the peers.`,
		Args: noArguments,
	}
	path := configFlag(cmd)
	levelName := cmd.Flags().String("log-level", "", "debug, info, warn or error, instead of the configuration's `level`")
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
		t, err := tunnel.New(cfg, tunnel.Options{Logger: newLogger(cmd.ErrOrStderr(), level), Version: version()})
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, unix.SIGTERM)
		defer stop()
		// The second signal is not caught, and kills.
		context.AfterFunc(ctx, stop)
		return t.Run(ctx)
	}
	return cmd
}

// newLogger writes text lines; the journal has its own time stamps.
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
