package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/tunnel"
)

func newUpCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the tunnel until SIGINT or SIGTERM",
		Args:  cobra.NoArgs,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := conf.Load(*path)
		if err != nil {
			return err
		}
		t, err := tunnel.New(cfg, tunnel.Options{Logger: newLogger(cmd.ErrOrStderr(), cfg.Tunnel.LogLevel), Version: version()})
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
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
